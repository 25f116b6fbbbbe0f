//! The id of a record: a UUID of version 7, which tells when the record was made and sorts by it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid, Variant};

use crate::clock::Timestamp;

/// The last moment that an id can carry: 48 bits of milliseconds, in the year 10889.
const LAST: i64 = (1 << 48) - 1;

/// Names one record, in every store and every process. Ids sort by the moment at which they were made, and
/// those of one process by the order of their making.
///
/// ```
/// use compensation::records::RecordId;
///
/// let (first, second) = (RecordId::now(), RecordId::now());
/// assert!(first < second);
/// assert_eq!(first.to_string().parse(), Ok(first));
/// assert!("order-4711".parse::<RecordId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordId(Uuid);

/// A text, or bytes, that are no [`RecordId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no id of a record: that is a UUID of version 7, like \
     019f5fbb-7ec0-7000-8000-000000000000"
)]
pub struct InvalidRecordId(String);

impl RecordId {
    /// Greater than every other id.
    pub(super) const LAST: Self = {
        let bytes = [u8::MAX; 10];
        Self(Builder::from_unix_timestamp_millis(LAST as u64, &bytes).into_uuid())
    };

    /// A fresh id of this moment.
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// A fresh id of another moment, for what happened then and is recorded now. Ids of one moment have no
    /// certain order.
    ///
    /// ```
    /// use compensation::{Timestamp, records::RecordId};
    ///
    /// let moment: Timestamp = "2026-07-14T09:30:00Z".parse()?;
    /// let id = RecordId::at(moment);
    /// assert_eq!(id.created_at(), moment);
    /// assert_ne!(id, RecordId::at(moment));
    /// # Ok::<(), compensation::InvalidTimestamp>(())
    /// ```
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        let [_, _, _, _, _, _, rest @ ..] = Uuid::now_v7().into_bytes();
        Self::of(moment, rest)
    }

    /// The same id for the same moment, place and text's hash, whoever asks: for records that are derived
    /// from others. Those of one moment and one text sort by their place, of which 4,096 are told apart.
    ///
    /// ```
    /// use compensation::{Timestamp, records::RecordId};
    ///
    /// let moment: Timestamp = "2026-07-14T09:30:00Z".parse()?;
    /// assert_eq!(RecordId::derived(moment, 3, 7), RecordId::derived(moment, 3, 7));
    /// assert!(RecordId::derived(moment, 3, 7) < RecordId::derived(moment, 4, 7));
    /// # Ok::<(), compensation::InvalidTimestamp>(())
    /// ```
    #[must_use]
    pub fn derived(moment: Timestamp, place: u16, hash: u64) -> Self {
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&place.to_be_bytes());
        rest[2..].copy_from_slice(&hash.to_be_bytes());
        Self::of(moment, rest)
    }

    /// No id of that moment, or of a later one, is smaller.
    pub(super) fn first_of(moment: Timestamp) -> Self {
        Self::of(moment, [0; 10])
    }

    fn of(moment: Timestamp, rest: [u8; 10]) -> Self {
        let millis = moment.as_millis().clamp(0, LAST).unsigned_abs();
        Self(Builder::from_unix_timestamp_millis(millis, &rest).into_uuid())
    }

    /// When it was made, and with it the record.
    #[must_use]
    pub fn created_at(self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
        Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// Its 16 bytes, which sort like it: for stores.
    ///
    /// ```
    /// use compensation::records::RecordId;
    ///
    /// let id = RecordId::now();
    /// assert_eq!(RecordId::from_bytes(id.to_bytes()), Ok(id));
    /// ```
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The id of those bytes.
    ///
    /// # Errors
    /// Where they are no UUID of version 7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidRecordId> {
        let id = Uuid::from_bytes(bytes);
        match (id.get_version_num(), id.get_variant()) {
            (7, Variant::RFC4122) => Ok(Self(id)),
            _ => Err(InvalidRecordId(id.to_string())),
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordId {
    type Err = InvalidRecordId;

    fn from_str(text: &str) -> Result<Self, InvalidRecordId> {
        let id = Uuid::parse_str(text).map_err(|_| InvalidRecordId(text.to_owned()))?;
        Self::from_bytes(id.into_bytes())
    }
}

impl TryFrom<String> for RecordId {
    type Error = InvalidRecordId;

    fn try_from(text: String) -> Result<Self, InvalidRecordId> {
        text.parse()
    }
}

impl From<RecordId> for String {
    fn from(id: RecordId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_moment() {
        let at = |millis| RecordId::at(Timestamp::from_millis(millis));
        assert!(at(1_000) < at(1_001));
        assert!(RecordId::first_of(Timestamp::from_millis(1_001)) > at(1_000));
        assert!(RecordId::first_of(Timestamp::from_millis(1_000)) <= at(1_000));
        assert!(at(i64::MAX) <= RecordId::LAST);
    }

    #[test]
    fn a_derived_id_is_always_the_same_and_sorts_by_its_place() {
        let of = |place, hash| RecordId::derived(Timestamp::from_millis(1_000), place, hash);
        assert_eq!(of(3, 7), of(3, 7));
        assert!(of(3, u64::MAX) < of(4, 0));
        assert!(of(255, 0) < of(256, 0));
        assert_ne!(of(3, 7), of(3, 8));
        assert_eq!(of(4_095, 7).created_at(), Timestamp::from_millis(1_000));
    }

    #[test]
    fn a_uuid_of_another_version_is_refused() {
        assert!("a3bb189e-8bf9-4888-9912-ace4e6543002".parse::<RecordId>().is_err());
        assert!(RecordId::from_bytes([0; 16]).is_err());
    }

    #[test]
    fn a_moment_before_1970_counts_as_1970() {
        assert_eq!(RecordId::at(Timestamp::from_millis(-5)).created_at().as_millis(), 0);
    }
}
