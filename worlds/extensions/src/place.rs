//! The place of a client, as events name it.

use secrule::internals::operator::GeoDatabase;
use std::net::IpAddr;

/// The place of a client. What is not known has the texts of the published document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The code of the country, of two letters; empty if unknown.
    pub country: String,
    /// The name of the province, or `unknown`.
    pub province: String,
    /// The name of the city, or `unknown`.
    pub city: String,
    /// The name of the provider; empty if unknown.
    pub provider: String,
}

impl Place {
    /// Looks an address up in the database of `SecGeoLookupDb`.
    pub fn of(database: Option<&GeoDatabase>, client: Option<IpAddr>) -> Self {
        let found = database.zip(client).and_then(|(database, client)| database.find_region(client));
        let found = found.unwrap_or_default();
        let or_unknown = |name: Option<String>| name.unwrap_or_else(|| "unknown".to_owned());
        Self {
            country: found.country.unwrap_or_default(),
            province: or_unknown(found.province),
            city: or_unknown(found.city),
            provider: found.provider.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrule_testkit::places::database;

    fn names(client: &str, has_database: bool) -> [String; 4] {
        let database = GeoDatabase::shared(database()).unwrap();
        let Place { country, province, city, provider } = Place::of(has_database.then_some(&*database), client.parse().ok());
        [country, province, city, provider]
    }

    #[test]
    fn a_place_has_what_the_database_knows() {
        assert_eq!(names("200.1.2.3", true), ["XA", "Sampleshire", "Sampleton", "Sample Net"]);
        for (client, has_database) in [("100.1.2.3", true), ("200.1.2.3", false), ("unix:", true)] {
            assert_eq!(names(client, has_database), ["", "unknown", "unknown", ""]);
        }
    }
}
