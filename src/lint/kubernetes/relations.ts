import type { Relation } from './complaint.ts'
import { container, mount, resources, variable, variableSource } from './containers.ts'
import { job } from './jobs.ts'
import { metadata, pod, volume } from './pods.ts'
import { affinityTerm, nodeRequirement, nodeSelector, requirement, spread, toleration } from './scheduling.ts'

/** What Kubernetes' validation demands between the fields of an object, by its definition. */
export const relationsOf: Readonly<Record<string, Relation>> = {
  ObjectMeta: metadata,
  PodSpec: pod,
  Volume: volume,
  Container: container,
  VolumeMount: mount,
  EnvVar: variable,
  EnvVarSource: variableSource,
  ResourceRequirements: resources,
  Toleration: toleration,
  LabelSelectorRequirement: requirement,
  NodeSelectorRequirement: nodeRequirement,
  NodeSelector: nodeSelector,
  PodAffinityTerm: affinityTerm,
  TopologySpreadConstraint: spread,
  JobSpec: job,
}
