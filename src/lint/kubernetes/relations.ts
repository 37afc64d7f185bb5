import type { Relation } from './complaint.ts'
import { container, resources, variable, variableSource } from './containers.ts'
import { job } from './jobs.ts'
import { metadata, pod, volume } from './pods.ts'
import { affinityTerm, nodeSelector, requirement, spread, toleration } from './scheduling.ts'

/** What Kubernetes' validation demands between the fields of an object, by its definition. */
export const relationsOf: Readonly<Record<string, Relation>> = {
  ObjectMeta: metadata,
  PodSpec: pod,
  Volume: volume,
  Container: container,
  EnvVar: variable,
  EnvVarSource: variableSource,
  ResourceRequirements: resources,
  Toleration: toleration,
  LabelSelectorRequirement: requirement,
  NodeSelectorRequirement: requirement,
  NodeSelector: nodeSelector,
  PodAffinityTerm: affinityTerm,
  TopologySpreadConstraint: spread,
  JobSpec: job,
}
