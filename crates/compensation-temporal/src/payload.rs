//! Typed values to payloads and back, and payloads as plain data that a snapshot carries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use temporalio_workflow::common::{
    data_converters::{
        GenericPayloadConverter as _, PayloadConversionError, PayloadConverter,
        SerializationContext, SerializationContextData, TemporalDeserializable,
        TemporalSerializable, WorkflowSerializationContext,
    },
    protos::temporal::api::common::v1::Payload,
};

pub(crate) fn encode<T: TemporalSerializable + 'static>(
    converter: &PayloadConverter,
    value: &T,
) -> Result<Vec<Payload>, PayloadConversionError> {
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    converter.to_payloads(&SerializationContext::new(&data, converter), value)
}

pub(crate) fn decode<T: TemporalDeserializable + 'static>(
    converter: &PayloadConverter,
    payload: Payload,
) -> Result<T, PayloadConversionError> {
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    converter.from_payload(&SerializationContext::new(&data, converter), payload)
}

/// A payload in a snapshot. Text where it is text, so that people can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredPayload {
    metadata: BTreeMap<String, Bytes>,
    data: Bytes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|raw| Self::Raw(raw.into_bytes()), Self::Text)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        match bytes {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Raw(raw) => raw,
        }
    }
}

impl From<Payload> for StoredPayload {
    fn from(payload: Payload) -> Self {
        let metadata = payload.metadata.into_iter().map(|(key, value)| (key, value.into()));
        Self { metadata: metadata.collect(), data: payload.data.into() }
    }
}

impl From<StoredPayload> for Payload {
    fn from(stored: StoredPayload) -> Self {
        let metadata = stored.metadata.into_iter().map(|(key, value)| (key, value.into()));
        Self { metadata: metadata.collect(), data: stored.data.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_from_its_stored_form_whether_it_is_text_or_not() {
        let converter = PayloadConverter::default();
        let text = encode(&converter, &"Ada".to_owned()).expect("a string");
        let raw = Payload { data: vec![0xff, 0, 7], ..Payload::default() };
        for payload in text.into_iter().chain([raw]) {
            let stored =
                serde_json::to_string(&StoredPayload::from(payload.clone())).expect("data");
            let back: StoredPayload = serde_json::from_str(&stored).expect("just written");
            assert_eq!(Payload::from(back), payload);
        }
    }
}
