//! How records write moments and spans of time as JSON: the formats of the Go package that this one
//! re-imagines. Where there is none, nothing is written.

/// Moments as RFC 3339. Go writes its zero moment where there is none.
pub(crate) mod moment {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::clock::Timestamp;

    const GO_ZERO: &str = "0001-01-01T00:00:00Z";

    pub(crate) fn serialize<S: Serializer>(
        moment: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        moment.map(|moment| moment.to_string()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(None),
            Some(text) if text == GO_ZERO => Ok(None),
            Some(text) => text.parse().map(Some).map_err(D::Error::custom),
        }
    }
}

/// Durations as whole nanoseconds.
pub(crate) mod nanos {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let nanos = Option::<i64>::deserialize(deserializer)?;
        // A clock that was set back gave Go a negative duration.
        Ok(nanos.map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))))
    }
}
