//! Which settings a running server takes over, and the two documents that follow from it.

use serde_yaml::{Mapping, Value};

use crate::{Config, Error};

/// The hot settings, stated once: what is not listed here needs another pod. `*` stands for every entry of a list.
const HOT: &[&[&str]] = &[
    &["logging"],
    &["reports"],
    &["nonce"],
    &["database", "maxConnectionsPerPod"],
    &["apis", "*", "workers"],
    &["apis", "*", "http"],
    &["apis", "*", "tls", "clientAuth", "mode"],
    &["apis", "*", "tls", "minVersion"],
];

/// The two files of a configuration directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// `config.yaml`: what needs another pod to change.
    pub cold: String,
    /// `live.yaml`: what a running server takes over.
    pub hot: String,
}

/// Parts a configuration into its cold and its hot document; [`merge`] puts them together again.
pub fn split(config: &Config) -> Result<Documents, Error> {
    let mut cold = serde_yaml::to_value(config)?;
    let mut hot = Value::Mapping(Mapping::new());
    for path in HOT {
        take(&mut cold, &mut hot, path);
    }
    Ok(Documents {
        cold: serde_yaml::to_string(&cold)?,
        hot: serde_yaml::to_string(&hot)?,
    })
}

/// `running` with the hot settings of `wanted`, as far as both have the API they belong to; what is cold stays.
pub fn with_hot_of(running: &Config, wanted: &Config) -> Result<Config, Error> {
    let mut config = serde_yaml::to_value(running)?;
    let wanted = serde_yaml::to_value(wanted)?;
    for path in HOT {
        copy(&mut config, &wanted, path);
    }
    Ok(serde_yaml::from_value(config)?)
}

/// Lays `over` on `base`: mappings are joined key by key, lists of named entries by name, all else is replaced.
pub fn merge(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Mapping(mut base), Value::Mapping(over)) => {
            for (key, value) in over {
                let merged = match base.remove(&key) {
                    Some(existing) => merge(existing, value),
                    None => value,
                };
                base.insert(key, merged);
            }
            Value::Mapping(base)
        }
        (Value::Sequence(mut base), Value::Sequence(over))
            if over.iter().all(|entry| name(entry).is_some()) =>
        {
            for entry in over {
                match base
                    .iter_mut()
                    .find(|existing| name(existing) == name(&entry))
                {
                    Some(existing) => *existing = merge(std::mem::take(existing), entry),
                    None => base.push(entry),
                }
            }
            Value::Sequence(base)
        }
        (_, over) => over,
    }
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str)
}

/// Makes what `path` names in `to` what it is in `from`.
fn copy(to: &mut Value, from: &Value, path: &[&str]) {
    match path {
        [] => {}
        ["*", rest @ ..] => {
            let entries = from.as_sequence().map_or(&[][..], Vec::as_slice);
            for to in to.as_sequence_mut().into_iter().flatten() {
                if let Some(from) = entries.iter().find(|from| name(from) == name(to)) {
                    copy(to, from, rest);
                }
            }
        }
        [key, rest @ ..] => {
            let (Some(to), Some(from)) = (to.as_mapping_mut(), from.as_mapping()) else {
                return;
            };
            if rest.is_empty() {
                match from.get(*key) {
                    Some(value) => to.insert((*key).into(), value.clone()),
                    None => to.shift_remove(*key),
                };
            } else if let (Some(to), Some(from)) = (to.get_mut(*key), from.get(*key)) {
                copy(to, from, rest);
            }
        }
    }
}

/// Moves what `path` names from `cold` to the same place in `hot`.
fn take(cold: &mut Value, hot: &mut Value, path: &[&str]) {
    match path {
        [] => {}
        ["*", rest @ ..] => {
            let Value::Sequence(entries) = cold else {
                return;
            };
            if !hot.is_sequence() {
                *hot = Value::Sequence(Vec::new());
            }
            let Value::Sequence(hot) = hot else { return };
            for (index, entry) in entries.iter_mut().enumerate() {
                if hot.len() <= index {
                    let mut named = Mapping::new();
                    named.insert("name".into(), name(entry).unwrap_or_default().into());
                    hot.push(Value::Mapping(named));
                }
                take(entry, &mut hot[index], rest);
            }
        }
        [key, rest @ ..] => {
            let Value::Mapping(cold) = cold else { return };
            let Value::Mapping(hot) = hot else { return };
            if rest.is_empty() {
                if let Some(value) = cold.shift_remove(*key) {
                    hot.insert((*key).into(), value);
                }
            } else if let Some(inner) = cold.get_mut(*key) {
                let mut beneath = hot
                    .shift_remove(*key)
                    .unwrap_or_else(|| Value::Mapping(Mapping::new()));
                take(inner, &mut beneath, rest);
                if beneath
                    .as_mapping()
                    .is_none_or(|mapping| !mapping.is_empty())
                {
                    hot.insert((*key).into(), beneath);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Config {
        serde_yaml::from_str(
            "
apis:
- name: osapi_compute
  workers: 2
  tls:
    certificateDirectory: /tls
    minVersion: \"1.3\"
    clientAuth: {mode: Optional, caFile: /ca/ca.crt, crlFile: /ca/crl.pem}
- name: metadata
  port: 80
  http: {keepAlive: false, clientSocketTimeoutSeconds: 30}
",
        )
        .unwrap()
    }

    #[test]
    fn hot_settings_stand_in_the_live_document_alone() {
        let documents = split(&sample()).unwrap();
        insta::assert_snapshot!(documents.cold, @"
        apis:
        - name: osapi_compute
          listen: 0.0.0.0
          tls:
            certificateDirectory: /tls
            clientAuth:
              caFile: /ca/ca.crt
              crlFile: /ca/crl.pem
        - name: metadata
          listen: 0.0.0.0
          port: 80
        admin:
          port: 9774
          loopback: false
        gracefulShutdownTimeoutSeconds: 60
        drainDelaySeconds: 5
        ");
        insta::assert_snapshot!(documents.hot, @r#"
        logging:
          level: INFO
          format: oslo
        reports:
          triggerIntervalSeconds: 1
        apis:
        - name: osapi_compute
          workers: 2
          http:
            keepAlive: true
            clientSocketTimeoutSeconds: 900
            headerTimeoutSeconds: 30
            tlsHandshakeTimeoutSeconds: 10
            maxConcurrentStreams: 100
            maxConnectionAgeSeconds: 0
            tcpKeepIdleSeconds: 600
            maxHeaderLineBytes: 16384
            maxUrlBytes: 8192
            maxBodyBytes: 114688
            backlog: 4096
            maxConnectionsPerWorker: 1000
            trustedProxies: []
            proxyProtocol: Off
            accessLog:
              format: '%(client_ip)s "%(request_line)s" status: %(status_code)s len: %(body_length)s time: %(wall_seconds).7f'
          tls:
            clientAuth:
              mode: Optional
            minVersion: '1.3'
        - name: metadata
          http:
            keepAlive: false
            clientSocketTimeoutSeconds: 30
            headerTimeoutSeconds: 30
            tlsHandshakeTimeoutSeconds: 10
            maxConcurrentStreams: 100
            maxConnectionAgeSeconds: 0
            tcpKeepIdleSeconds: 600
            maxHeaderLineBytes: 16384
            maxUrlBytes: 8192
            maxBodyBytes: 114688
            backlog: 4096
            maxConnectionsPerWorker: 1000
            trustedProxies: []
            proxyProtocol: Off
            accessLog:
              format: '%(client_ip)s "%(request_line)s" status: %(status_code)s len: %(body_length)s time: %(wall_seconds).7f'
        "#);
    }

    #[test]
    fn merged_again_it_is_what_it_was() {
        let documents = split(&sample()).unwrap();
        let merged = merge(
            serde_yaml::from_str(&documents.cold).unwrap(),
            serde_yaml::from_str(&documents.hot).unwrap(),
        );
        let config: Config = serde_yaml::from_value(merged).unwrap();
        assert_eq!(config, sample());
    }

    #[test]
    fn a_running_server_takes_the_hot_settings_alone() {
        let mut wanted = sample();
        wanted.apis[0].workers = None;
        wanted.apis[0].tls = None;
        wanted.apis[1].port = Some(81);
        wanted.apis[1].http.keep_alive = true;
        wanted.apis[1].workers = Some(3);
        wanted.apis.push(crate::Api::named("ec2"));
        wanted.drain_delay_seconds = 9;
        let mut expected = sample();
        expected.apis[0].workers = None;
        expected.apis[1].http.keep_alive = true;
        expected.apis[1].workers = Some(3);
        assert_eq!(with_hot_of(&sample(), &wanted).unwrap(), expected);
    }

    #[test]
    fn a_hot_change_leaves_the_cold_document_alone() {
        let mut changed = sample();
        changed.apis[0].workers = Some(9);
        changed.apis[0].tls.as_mut().unwrap().min_version = crate::TlsVersion::Tls12;
        changed.apis[1].http.keep_alive = true;
        assert_eq!(
            split(&changed).unwrap().cold,
            split(&sample()).unwrap().cold
        );
    }
}
