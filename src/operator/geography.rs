//! `@geoLookup`: the location of an address in a MaxMind database.

use maxminddb::{Reader, path};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A database of locations, such as GeoLite2-City.
pub struct GeoDatabase {
    reader: Reader<Arc<[u8]>>,
    /// The bytes that the reader shares.
    bytes: Arc<[u8]>,
}

/// Error of a file that is not a MaxMind database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a MaxMind database: {0}")]
pub struct GeoDatabaseError(String);

/// Location of an address, by the keys of GEO, from large to small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Keys and values; unknown parts are absent.
    pub parts: Vec<(&'static str, String)>,
}

/// Region of an address and provider of its network, as events name them; unknown parts are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    /// The code of the country, of two letters.
    pub country: Option<String>,
    /// The largest part of the country, such as a province; in English.
    pub province: Option<String>,
    /// The city, in English.
    pub city: Option<String>,
    /// The provider. Databases of cities do not have it.
    pub provider: Option<String>,
}

impl GeoDatabase {
    /// Reads a database. While another one with the same bytes is in use, that one is shared.
    ///
    /// # Errors
    /// If the bytes are not a MaxMind database; GeoIP's older `.dat` files are not.
    pub fn shared(bytes: Vec<u8>) -> Result<Arc<Self>, GeoDatabaseError> {
        static IN_USE: Mutex<Vec<Weak<GeoDatabase>>> = Mutex::new(Vec::new());
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.retain(|database| database.strong_count() > 0);
        if let Some(known) = in_use.iter().filter_map(Weak::upgrade).find(|database| *database.bytes == *bytes) {
            return Ok(known);
        }
        let bytes: Arc<[u8]> = bytes.into();
        let reader = Reader::from_source(Arc::clone(&bytes)).map_err(|error| GeoDatabaseError(error.to_string()))?;
        let database = Arc::new(Self { reader, bytes });
        in_use.push(Arc::downgrade(&database));
        Ok(database)
    }

    /// Returns the location of an address; `None` if the database does not have it.
    ///
    /// The keys are those of ModSecurity v3 with a MaxMind database: COUNTRY_CODE, COUNTRY_NAME, COUNTRY_CONTINENT, CITY, POSTAL_CODE, LATITUDE and
    /// LONGITUDE. Names are in English, degrees have six decimals.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<Place> {
        let found = self.reader.lookup(address).ok().filter(|found| found.has_data())?;
        let text = |path: &[maxminddb::PathElement<'_>]| found.decode_path::<String>(path).ok().flatten();
        let degrees = |name| found.decode_path::<f64>(&path!["location", name]).ok().flatten().map(|degrees| format!("{degrees:.6}"));
        let parts = [
            ("COUNTRY_CODE", text(&path!["country", "iso_code"])),
            ("COUNTRY_NAME", text(&path!["country", "names", "en"])),
            ("COUNTRY_CONTINENT", text(&path!["continent", "names", "en"])),
            ("CITY", text(&path!["city", "names", "en"])),
            ("POSTAL_CODE", text(&path!["postal", "code"])),
            ("LATITUDE", degrees("latitude")),
            ("LONGITUDE", degrees("longitude")),
        ];
        Some(Place { parts: parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect() })
    }

    /// Finds the region of an address; `None` if the database does not have it.
    #[must_use]
    pub fn find_region(&self, address: IpAddr) -> Option<Region> {
        let found = self.reader.lookup(address).ok().filter(|found| found.has_data())?;
        let text = |path: &[maxminddb::PathElement<'_>]| found.decode_path::<String>(path).ok().flatten();
        Some(Region {
            country: text(&path!["country", "iso_code"]),
            province: text(&path!["subdivisions", 0, "names", "en"]),
            city: text(&path!["city", "names", "en"]),
            provider: text(&path!["traits", "isp"]).or_else(|| text(&path!["isp"])),
        })
    }
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoDatabase").field("kind", &self.reader.metadata().database_type).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
