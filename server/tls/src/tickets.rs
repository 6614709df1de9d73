//! Session tickets that every worker of an API understands, and nobody once their time is over.
//!
//! All workers start from one seed. It moves on with the clock, every six hours by a one-way step, so all have the same
//! keys without speaking to each other, and what is in memory opens no ticket that is older than the key before the
//! present one. Another certificate, client CA or CRL means another seed: what was agreed before is not resumed.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use rustls::server::ProducesTickets;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

/// Seconds after which tickets are made with another key. One more such time they are still accepted.
pub const PERIOD: u64 = 6 * 60 * 60;
/// No clock is set on by more than this many periods, about 68 years.
const FARTHEST: u64 = 100_000;

/// What the keys of a period and of all later ones follow from. It is as secret as they are.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct TicketSeed {
    period: u64,
    secret: [u8; 32],
}

/// The crypto library could not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot make keys for session tickets")]
pub struct TicketsError;

impl TicketSeed {
    /// A new one, at `now`, seconds since 1970.
    pub fn random(now: u64) -> Result<Self, TicketsError> {
        let mut secret = [0; 32];
        // From the system: the crypto library takes tens of milliseconds to be sure of its own randomness, and a server
        // without TLS would pay them at its start.
        getrandom::fill(&mut secret).map_err(|_| TicketsError)?;
        Ok(Self {
            period: now / PERIOD,
            secret,
        })
    }

    /// Moves on to the period of `now`, and forgets the ones before. It never goes back: a clock that does must not
    /// bring old keys back.
    pub fn advance(&mut self, now: u64) -> Result<(), TicketsError> {
        for _ in 0..(now / PERIOD).saturating_sub(self.period).min(FARTHEST) {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), TicketsError> {
        self.secret = derive(&self.secret, b"kilonova tickets: next period")?;
        self.period += 1;
        Ok(())
    }

    fn key(&self) -> Result<Key, TicketsError> {
        let name: [u8; 32] = derive(&self.secret, b"kilonova tickets: name")?;
        let key: [u8; 32] = derive(&self.secret, b"kilonova tickets: key")?;
        Ok(Key {
            name,
            seal: RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| TicketsError)?,
        })
    }
}

impl fmt::Debug for TicketSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSeed(***)")
    }
}

fn derive(secret: &[u8; 32], purpose: &[u8]) -> Result<[u8; 32], TicketsError> {
    let mut derived = [0; 32];
    Prk::new_less_safe(HKDF_SHA256, secret)
        .expand(&[purpose], HKDF_SHA256)
        .and_then(|material| material.fill(&mut derived))
        .map_err(|_| TicketsError)?;
    Ok(derived)
}

/// Makes and opens tickets: name of the key, nonce, sealed session, tag.
pub struct SharedTickets(Mutex<Keys>);

struct Keys {
    seed: TicketSeed,
    current: Key,
    previous: Option<Key>,
}

struct Key {
    name: [u8; 32],
    seal: RandomizedNonceKey,
}

impl SharedTickets {
    /// Tickets from a seed.
    pub fn new(seed: TicketSeed) -> Result<Self, TicketsError> {
        Ok(Self(Mutex::new(Keys {
            current: seed.key()?,
            previous: None,
            seed,
        })))
    }

    fn seal(&self, session: &[u8], now: u64) -> Option<Vec<u8>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.advance(now).ok()?;
        keys.current.seal(session)
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.advance(now).ok()?;
        let (name, sealed) = ticket.split_first_chunk()?;
        let all = [Some(&keys.current), keys.previous.as_ref()];
        let key = all.into_iter().flatten().find(|key| key.name == *name)?;
        key.open(sealed)
    }
}

impl Keys {
    fn advance(&mut self, now: u64) -> Result<(), TicketsError> {
        for _ in 0..(now / PERIOD)
            .saturating_sub(self.seed.period)
            .min(FARTHEST)
        {
            self.seed.step()?;
            let next = self.seed.key()?;
            self.previous = Some(std::mem::replace(&mut self.current, next));
        }
        Ok(())
    }
}

impl Key {
    fn seal(&self, session: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = session.to_vec();
        let nonce = self
            .seal
            .seal_in_place_append_tag(Aad::from(self.name), &mut sealed)
            .ok()?;
        Some([&self.name[..], nonce.as_ref(), &sealed].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut session = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .seal
            .open_in_place(nonce, Aad::from(self.name), &mut session)
            .ok()?
            .len();
        session.truncate(length);
        Some(session)
    }
}

impl fmt::Debug for SharedTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedTickets(***)")
    }
}

impl ProducesTickets for SharedTickets {
    fn enabled(&self) -> bool {
        true
    }

    /// What is promised even to a ticket of a period's last second.
    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, UnixTime::now().as_secs())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, UnixTime::now().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: u64 = 100 * PERIOD;

    fn tickets(seed: &TicketSeed) -> SharedTickets {
        SharedTickets::new(seed.clone()).unwrap()
    }

    #[test]
    fn a_sibling_opens_what_another_sealed() {
        let seed = TicketSeed::random(NOW).unwrap();
        let ticket = tickets(&seed).seal(b"session", NOW).unwrap();
        assert_eq!(tickets(&seed).open(&ticket, NOW).unwrap(), b"session");
        let other = TicketSeed::random(NOW).unwrap();
        assert_eq!(tickets(&other).open(&ticket, NOW), None);
    }

    #[test]
    fn no_two_tickets_are_alike_and_none_shows_what_is_in_it() {
        let tickets = tickets(&TicketSeed::random(NOW).unwrap());
        let one = tickets.seal(b"session", NOW).unwrap();
        assert_ne!(one, tickets.seal(b"session", NOW).unwrap());
        assert!(!one.windows(7).any(|window| window == b"session"));
    }

    #[rstest]
    #[case::same_period(NOW, true)]
    #[case::its_last_second(NOW + PERIOD - 1, true)]
    #[case::next_period(NOW + PERIOD, true)]
    #[case::its_own_last_second(NOW + 2 * PERIOD - 1, true)]
    #[case::two_periods_later(NOW + 2 * PERIOD, false)]
    #[case::years_later(NOW * 1000, false)]
    fn a_ticket_is_good_for_one_to_two_periods(#[case] then: u64, #[case] good: bool) {
        let tickets = tickets(&TicketSeed::random(NOW).unwrap());
        let ticket = tickets.seal(b"session", NOW).unwrap();
        assert_eq!(tickets.open(&ticket, then).is_some(), good);
    }

    #[test]
    fn one_that_starts_later_has_the_keys_of_its_siblings_and_no_older_ones() {
        let mut seed = TicketSeed::random(NOW).unwrap();
        let first = tickets(&seed);
        let old = first.seal(b"old", NOW).unwrap();
        let later = NOW + 3 * PERIOD;
        seed.advance(later).unwrap();
        let second = tickets(&seed);
        let ticket = first.seal(b"session", later).unwrap();
        assert_eq!(second.open(&ticket, later).unwrap(), b"session");
        assert_eq!(second.open(&old, later), None);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_no_old_key_back() {
        let tickets = tickets(&TicketSeed::random(NOW).unwrap());
        let old = tickets.seal(b"old", NOW).unwrap();
        let ticket = tickets.seal(b"session", NOW + 2 * PERIOD).unwrap();
        assert_eq!(tickets.open(&old, NOW), None);
        assert_eq!(tickets.open(&ticket, NOW).unwrap(), b"session");
    }

    #[rstest]
    #[case(0)] // the name of the key
    #[case(32)] // the nonce
    #[case(45)] // the session
    #[case(66)] // the tag
    fn a_ticket_that_was_tampered_with_is_nothing(#[case] at: usize) {
        let tickets = tickets(&TicketSeed::random(NOW).unwrap());
        let mut ticket = tickets.seal(b"session", NOW).unwrap();
        ticket[at] ^= 1;
        assert_eq!(tickets.open(&ticket, NOW), None);
        assert_eq!(tickets.open(&ticket[..20], NOW), None);
        assert_eq!(tickets.open(b"", NOW), None);
    }
}
