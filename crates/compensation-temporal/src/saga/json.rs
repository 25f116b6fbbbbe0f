//! Values as JSON, to the letter.
//!
//! The SDK's converter reads JSON into a tree first. That sorts keys and rounds numbers that it has no room for; what
//! users put into a saga is to come out as it was.

use serde::{Serialize, de::DeserializeOwned};
use temporalio_workflow::common::{
    data_converters::{
        PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
    },
    protos::temporal::api::common::v1::Payload,
};

/// A value that travels as JSON, whatever the payload converter; a codec, as for encryption, is still applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaJson<T>(
    /// The value.
    pub T,
);

impl<T: Serialize> TemporalSerializable for SagaJson<T> {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        let data = serde_json::to_vec(&self.0)
            .map_err(|error| PayloadConversionError::EncodingError(error.into()))?;
        let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
        Ok(Payload { metadata, data, ..Payload::default() })
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for SagaJson<T> {
    fn from_payload(
        _: &SerializationContext<'_>,
        payload: Payload,
    ) -> Result<Self, PayloadConversionError> {
        let value = serde_json::from_slice(&payload.data);
        value.map(Self).map_err(|error| PayloadConversionError::EncodingError(error.into()))
    }
}
