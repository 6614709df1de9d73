//! Who decides how many pods there are, when it is not the resource.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::{Part, strict};
use crate::apply::Obstacle;

/// The autoscaler of a part, if it asks for one of ours.
pub(super) fn autoscaler(part: &Part<'_>) -> Option<Result<HorizontalPodAutoscaler, Obstacle>> {
    let asked = part.autoscaling.filter(|asked| !asked.external)?;
    let mut metrics = Vec::new();
    metrics.extend(asked.target_cpu_utilization_percentage.map(cpu));
    for (index, metric) in asked.metrics.iter().enumerate() {
        match strict::read::<MetricSpec>(metric) {
            Ok(metric) => metrics.push(metric),
            Err(wrong) => {
                return Some(Err(Obstacle {
                    reason: "AutoscalingInvalid",
                    message: format!(
                        "{}: metrics[{index}] is no metric of a HorizontalPodAutoscaler (autoscaling/v2): {}; the \
                         number of pods stays as it is",
                        part.called("autoscaling"),
                        wrong.join("; ")
                    ),
                    stalls: true,
                }));
            }
        }
    }
    Some(Ok(HorizontalPodAutoscaler {
        metadata: part.metadata(part.name()),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: part.name(),
            },
            min_replicas: Some(asked.min_replicas.unwrap_or(1)),
            // The API server lets none in without.
            max_replicas: asked.max_replicas.unwrap_or(1),
            metrics: Some(metrics),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        status: None,
    }))
}

fn cpu(percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}
