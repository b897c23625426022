//! What a preview is thought to cost. What is not known is absent, never zero.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An estimate of what a preview costs. Where there is none, results have `null` in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimatedCost {
    /// An ISO 4217 code, such as `USD`.
    pub currency: String,
    /// In that currency's main unit.
    pub amount: Amount,
}

/// An amount of money, counted in millionths of the currency's main unit; in JSON a number of main units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

const MILLIONTHS: f64 = 1_000_000.0;

impl Amount {
    /// A billion main units. Up to here every millionth survives JSON's numbers.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// From millionths of the main unit, at most [`MAX`](Self::MAX).
    pub fn from_millionths(millionths: u64) -> Self {
        Self(millionths.min(Self::MAX.0))
    }

    /// In millionths of the main unit.
    pub const fn as_millionths(self) -> u64 {
        self.0
    }

    #[expect(clippy::cast_precision_loss, reason = "MAX is exact in an f64")]
    fn main_units(self) -> f64 {
        self.0 as f64 / MILLIONTHS
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.main_units(), f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.main_units())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millionths = (f64::deserialize(deserializer)? * MILLIONTHS).round();
        #[expect(clippy::cast_precision_loss, reason = "MAX is exact in an f64")]
        let fits = (0.0..=Self::MAX.0 as f64).contains(&millionths);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "just checked"
        )]
        if fits {
            Ok(Self(millionths as u64))
        } else {
            Err(serde::de::Error::custom("an amount is from 0 to a billion"))
        }
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}
