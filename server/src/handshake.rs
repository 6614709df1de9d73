//! Why TLS handshakes fail: a few reasons for metrics, and words for people.

use std::io;

use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible,
};

/// Values of the label `reason`, a bounded set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The client presented no certificate, and one is required.
    NoCertificate,
    /// Its certificate, or its use of it, is not valid.
    BadCertificate,
    /// Its certificate has expired.
    ExpiredCertificate,
    /// No CA of the bundle signed its certificate.
    UnknownCa,
    /// Its certificate is revoked.
    Revoked,
    /// It does not accept the server's certificate, or what the server chose.
    RefusedByClient,
    /// It speaks HTTP without TLS.
    PlainHttp,
    /// It speaks something else.
    NotTls,
    /// It speaks no version of TLS that the server does.
    NoSharedProtocol,
    /// It knows no cipher suite, key exchange or signature that the server does.
    NoSharedCipher,
    /// It offers protocols by ALPN, and neither HTTP/2 nor HTTP/1.1 is among them.
    NoSharedAlpn,
    /// It took too long.
    Timeout,
    /// It went away.
    Closed,
    /// Anything else.
    Other,
}

impl Reason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::NoCertificate,
        Self::BadCertificate,
        Self::ExpiredCertificate,
        Self::UnknownCa,
        Self::Revoked,
        Self::RefusedByClient,
        Self::PlainHttp,
        Self::NotTls,
        Self::NoSharedProtocol,
        Self::NoSharedCipher,
        Self::NoSharedAlpn,
        Self::Timeout,
        Self::Closed,
        Self::Other,
    ];

    /// The value of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::ExpiredCertificate => "expired_certificate",
            Self::UnknownCa => "unknown_ca",
            Self::Revoked => "revoked",
            Self::RefusedByClient => "refused_by_client",
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::NoSharedProtocol => "no_shared_protocol",
            Self::NoSharedCipher => "no_shared_cipher",
            Self::NoSharedAlpn => "no_shared_alpn",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Other => "other",
        }
    }

    /// What happened, as a sentence about the client.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoCertificate => "the client has no certificate, and one is required",
            Self::BadCertificate => "the client's certificate is not valid",
            Self::ExpiredCertificate => "the client's certificate has expired",
            Self::UnknownCa => "the client's certificate is not signed by a CA of the CA bundle",
            Self::Revoked => "the client's certificate is revoked",
            Self::RefusedByClient => {
                "the client does not accept this server's certificate or choice"
            }
            Self::PlainHttp => "the client speaks HTTP without TLS",
            Self::NotTls => "the client does not speak TLS",
            Self::NoSharedProtocol => {
                "the client speaks no version of TLS that is spoken here (tls.minVersion)"
            }
            Self::NoSharedCipher => {
                "the client knows no cipher suite, key exchange or signature that is known here"
            }
            Self::NoSharedAlpn => "the client wants neither HTTP/2 nor HTTP/1.1",
            Self::Timeout => "the client took too long",
            Self::Closed => "the client closed the connection",
            Self::Other => "something else",
        }
    }
}

/// The reason of a failure, and what the library adds to it for those who must know exactly.
pub fn classify(error: &io::Error) -> (Reason, Option<String>) {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(error) => {
            let reason = of_library(error);
            let telling = matches!(
                reason,
                Reason::BadCertificate
                    | Reason::RefusedByClient
                    | Reason::NoSharedCipher
                    | Reason::NotTls
                    | Reason::Other
            );
            (reason, telling.then(|| error.to_string()))
        }
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => (Reason::Closed, None),
            io::ErrorKind::TimedOut => (Reason::Timeout, None),
            _ => (Reason::Other, Some(error.to_string())),
        },
    }
}

fn of_library(error: &Error) -> Reason {
    match error {
        Error::NoCertificatesPresented => Reason::NoCertificate,
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => {
            Reason::Closed
        }
        Error::AlertReceived(_) => Reason::RefusedByClient,
        Error::PeerIncompatible(error) => of_incompatible(error),
        Error::NoApplicationProtocol => Reason::NoSharedAlpn,
        Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => Reason::NoSharedProtocol,
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => Reason::NotTls,
        _ => Reason::Other,
    }
}

fn of_certificate(error: &CertificateError) -> Reason {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Reason::ExpiredCertificate
        }
        CertificateError::Revoked => Reason::Revoked,
        CertificateError::UnknownIssuer => Reason::UnknownCa,
        _ => Reason::BadCertificate,
    }
}

fn of_incompatible(error: &PeerIncompatible) -> Reason {
    match error {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired => Reason::NoSharedProtocol,
        _ => Reason::NoSharedCipher,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn library(error: Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    #[rstest]
    #[case(library(Error::NoCertificatesPresented), "no_certificate")]
    #[case(
        library(Error::InvalidCertificate(CertificateError::Expired)),
        "expired_certificate"
    )]
    #[case(
        library(Error::InvalidCertificate(CertificateError::NotValidYet)),
        "bad_certificate"
    )]
    #[case(
        library(Error::InvalidCertificate(CertificateError::BadSignature)),
        "bad_certificate"
    )]
    #[case(
        library(Error::InvalidCertificate(CertificateError::InvalidPurpose)),
        "bad_certificate"
    )]
    #[case(
        library(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        "unknown_ca"
    )]
    #[case(
        library(Error::InvalidCertificate(CertificateError::Revoked)),
        "revoked"
    )]
    #[case(
        library(Error::AlertReceived(AlertDescription::UnknownCA)),
        "refused_by_client"
    )]
    #[case(library(Error::AlertReceived(AlertDescription::CloseNotify)), "closed")]
    #[case(
        library(Error::InvalidMessage(InvalidMessage::InvalidContentType)),
        "not_tls"
    )]
    #[case(
        library(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)),
        "no_shared_protocol"
    )]
    #[case(
        library(Error::PeerIncompatible(PeerIncompatible::SupportedVersionsExtensionRequired)),
        "no_shared_protocol"
    )]
    #[case(
        library(Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon)),
        "no_shared_cipher"
    )]
    #[case(library(Error::NoApplicationProtocol), "no_shared_alpn")]
    #[case(library(Error::General("?".to_owned())), "other")]
    #[case(io::ErrorKind::UnexpectedEof.into(), "closed")]
    #[case(io::ErrorKind::ConnectionReset.into(), "closed")]
    #[case(io::ErrorKind::TimedOut.into(), "timeout")]
    #[case(io::Error::other("?"), "other")]
    fn each_failure_has_its_reason(#[case] error: io::Error, #[case] label: &str) {
        assert_eq!(classify(&error).0.label(), label);
    }

    #[test]
    fn the_number_of_a_reason_is_its_place_and_no_label_stands_twice() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let same = Reason::ALL
                .iter()
                .filter(|other| other.label() == reason.label());
            assert_eq!(same.count(), 1);
        }
    }

    #[test]
    fn what_the_words_do_not_say_is_added() {
        let (_, known) = classify(&library(Error::InvalidCertificate(
            CertificateError::Revoked,
        )));
        assert_eq!(known, None);
        let (_, detail) = classify(&library(Error::AlertReceived(AlertDescription::UnknownCA)));
        assert_eq!(detail.as_deref(), Some("received fatal alert: UnknownCA"));
    }
}
