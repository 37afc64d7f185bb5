/**
 * What Kubernetes' validation demands of single fields, beyond the types and choices that its OpenAPI publishes. Keys
 * are `Definition.field`.
 */
import {
  containerResource,
  dataKey,
  dnsLabel,
  dnsSubdomain,
  imageName,
  innerPath,
  ipAddress,
  labelKey,
  notEmpty,
  portName,
  type Syntax,
  variableName,
} from './syntax.ts'

export const syntaxOf: Readonly<Record<string, Syntax>> = {
  'ObjectMeta.namespace': dnsLabel,
  // The API server adds letters, so that a dash may be the last character.
  'ObjectMeta.generateName': (text) => dnsSubdomain(text.replace(/-$/u, '-a')),
  'ObjectMeta.finalizers': labelKey,
  'OwnerReference.apiVersion': notEmpty,
  'OwnerReference.kind': notEmpty,
  'OwnerReference.name': notEmpty,
  'OwnerReference.uid': notEmpty,
  'Container.name': dnsLabel,
  'Container.image': imageName,
  'ContainerPort.name': orEmpty(portName),
  'EnvVar.name': variableName,
  'EnvFromSource.prefix': orEmpty(variableName),
  'ConfigMapEnvSource.name': notEmpty,
  'SecretEnvSource.name': notEmpty,
  'ConfigMapKeySelector.name': notEmpty,
  'ConfigMapKeySelector.key': dataKey,
  'SecretKeySelector.name': notEmpty,
  'SecretKeySelector.key': dataKey,
  'VolumeMount.name': notEmpty,
  'VolumeMount.mountPath': notEmpty,
  'VolumeMount.subPath': innerPath,
  'VolumeMount.subPathExpr': innerPath,
  'ResourceFieldSelector.resource': containerResource,
  'Volume.name': dnsLabel,
  'KeyToPath.key': notEmpty,
  'KeyToPath.path': innerPath,
  'DownwardAPIVolumeFile.path': innerPath,
  'PersistentVolumeClaimVolumeSource.claimName': notEmpty,
  'HostPathVolumeSource.path': notEmpty,
  'PodSpec.serviceAccountName': orEmpty(dnsSubdomain),
  'PodSpec.nodeName': orEmpty(dnsSubdomain),
  'PodSpec.hostname': orEmpty(dnsLabel),
  'PodSpec.subdomain': orEmpty(dnsLabel),
  'PodSpec.priorityClassName': orEmpty(dnsSubdomain),
  'PodSpec.runtimeClassName': dnsSubdomain,
  'HostAlias.ip': ipAddress,
  'LabelSelectorRequirement.key': labelKey,
  'NodeSelectorRequirement.key': labelKey,
  'Toleration.key': orEmpty(labelKey),
  'TopologySpreadConstraint.topologyKey': labelKey,
  'PodAffinityTerm.topologyKey': labelKey,
  'PodFailurePolicyOnPodConditionsPattern.type': labelKey,
}

/** Fields that are needed although the OpenAPI does not say so. */
export const requiredBeyond: Readonly<Record<string, readonly string[]>> = {
  Container: ['image'],
  ExecAction: ['command'],
  ConfigMapEnvSource: ['name'],
  SecretEnvSource: ['name'],
  ConfigMapKeySelector: ['name'],
  SecretKeySelector: ['name'],
  ConfigMapVolumeSource: ['name'],
  SecretVolumeSource: ['secretName'],
}

/** Required by the OpenAPI, and filled in by the API server. */
export const filledIn: ReadonlySet<string> = new Set(['PodFailurePolicyOnPodConditionsPattern.status'])

/** Texts that the OpenAPI publishes without their choices. */
export const choicesBeyond: Readonly<Record<string, readonly string[]>> = {
  'LabelSelectorRequirement.operator': ['In', 'NotIn', 'Exists', 'DoesNotExist'],
  'PodFailurePolicyOnPodConditionsPattern.status': ['True', 'False', 'Unknown'],
}

const port = [1, 65_535] as const
const count = [0, Infinity] as const
const id = [0, 2 ** 31 - 1] as const
const mode = [0, 0o777] as const
const weight = [1, 100] as const

export const boundsOf: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'ContainerPort.containerPort': port,
  'ContainerPort.hostPort': [0, 65_535],
  'GRPCAction.port': port,
  'HTTPGetAction.port': port,
  'TCPSocketAction.port': port,
  'Probe.initialDelaySeconds': count,
  'Probe.timeoutSeconds': count,
  'Probe.periodSeconds': count,
  'Probe.successThreshold': count,
  'Probe.failureThreshold': count,
  'Probe.terminationGracePeriodSeconds': [1, Infinity],
  'JobSpec.parallelism': count,
  'JobSpec.completions': count,
  'JobSpec.activeDeadlineSeconds': count,
  'JobSpec.backoffLimit': count,
  'JobSpec.backoffLimitPerIndex': count,
  'JobSpec.maxFailedIndexes': count,
  'JobSpec.ttlSecondsAfterFinished': count,
  'PodSpec.activeDeadlineSeconds': [1, 2 ** 31 - 1],
  'PodSecurityContext.runAsUser': id,
  'PodSecurityContext.runAsGroup': id,
  'PodSecurityContext.fsGroup': id,
  'SecurityContext.runAsUser': id,
  'SecurityContext.runAsGroup': id,
  'KeyToPath.mode': mode,
  'ConfigMapVolumeSource.defaultMode': mode,
  'SecretVolumeSource.defaultMode': mode,
  'ProjectedVolumeSource.defaultMode': mode,
  'DownwardAPIVolumeSource.defaultMode': mode,
  'WeightedPodAffinityTerm.weight': weight,
  'PreferredSchedulingTerm.weight': weight,
  'TopologySpreadConstraint.maxSkew': [1, Infinity],
  'TopologySpreadConstraint.minDomains': [1, Infinity],
}

/** Names of ports stand where numbers can stand. */
export const portFields: ReadonlySet<string> = new Set(['HTTPGetAction.port', 'TCPSocketAction.port'])

/** Fields of which one must be set, or at most one. */
export const oneOf: Readonly<Record<string, { readonly fields: readonly string[] | 'all'; readonly isNeeded: boolean }>> = {
  EnvVarSource: { fields: 'all', isNeeded: true },
  EnvFromSource: { fields: ['configMapRef', 'secretRef'], isNeeded: true },
  Probe: { fields: ['exec', 'grpc', 'httpGet', 'tcpSocket'], isNeeded: true },
  LifecycleHandler: { fields: ['exec', 'httpGet', 'sleep', 'tcpSocket'], isNeeded: true },
  DownwardAPIVolumeFile: { fields: ['fieldRef', 'resourceFieldRef'], isNeeded: true },
  VolumeProjection: { fields: 'all', isNeeded: true },
  PodFailurePolicyRule: { fields: ['onExitCodes', 'onPodConditions'], isNeeded: true },
}

function orEmpty(syntax: Syntax): Syntax {
  return (text) => (text === '' ? undefined : syntax(text))
}
