//! What running pods take over by themselves.

use kilonova_config::HOT_FILE;
use kube::ResourceExt;

use super::steering::{SPEC, Steered};
use super::{Steps, difference, need, settings};
use crate::Error;
use crate::api::Effect;
use crate::history;

/// Says what running pods take over, if that is not what the status says they run with.
pub fn reload(steps: &mut Steps<'_>, steered: &Steered) -> Result<(), Error> {
    let (situation, workload) = (steps.situation, &steered.workload);
    let status = situation.service.status.as_ref();
    let before = status.and_then(|status| {
        let mut rows = status.apis.iter();
        let state =
            rows.find(|state| workload.apis.iter().any(|api| api.as_str() == state.name))?;
        Some((status, state.revision.as_ref()?))
    });
    let (Some(expected), Some((status, revision)), true) =
        (&steered.expected, before, steered.stays)
    else {
        return Ok(());
    };
    let prints = |name: &str| {
        let state = status.apis.iter().find(|state| state.name == name);
        state.and_then(|state| Some(state.tls.as_ref()?.fingerprint.clone()))
    };
    let rotated: Vec<String> = expected
        .certificates
        .iter()
        .filter(|(name, facts)| prints(name).is_some_and(|before| before != facts.fingerprint))
        .map(|(name, facts)| format!("certificate of {name}: serial {}", facts.serial))
        .collect();
    if revision.desired == expected.revision && rotated.is_empty() {
        return Ok(());
    }
    let there = situation
        .observed
        .config_maps
        .get(&workload.live.name_any());
    let from = there
        .map(|map| history::text(map, HOT_FILE))
        .unwrap_or_default();
    let to = history::text(&workload.live, HOT_FILE);
    let again = settings::token(&from) != settings::token(&to);
    let mut words = rotated;
    if from != to {
        words.insert(0, difference::of_settings(&from, &to));
    } else if words.is_empty() {
        words.push("contents of the Secrets".to_owned());
    }
    let mut need = need(
        workload,
        Effect::Reload,
        revision.desired.clone(),
        expected.digest(),
    );
    need.what = words.join(", ");
    let why = match (from == to, again) {
        (true, _) => "a Secret changed",
        (false, true) => "reload-at changed",
        (false, false) => SPEC,
    };
    why.clone_into(&mut need.why);
    let (number, hash, _) = steps.number(&need)?;
    steps.add(need, number, hash);
    Ok(())
}
