/** What still is in the definitions, and about which the API server warns. */
import { type Complaint, warningAt } from './complaint.ts'

/** Labels of nodes, and what to write. */
const nodeLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'write kubernetes.io/arch',
  'beta.kubernetes.io/os': 'write kubernetes.io/os',
  'beta.kubernetes.io/instance-type': 'write node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region': 'write topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'write topology.kubernetes.io/zone',
  'node-role.kubernetes.io/master': 'write node-role.kubernetes.io/control-plane',
  'app.kubernetes.io/created-by': 'remove it',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'use taints and tolerations',
}

export function oldNodeLabel(label: unknown, path: string): readonly Complaint[] {
  const words = typeof label === 'string' && Object.hasOwn(nodeLabels, label) ? nodeLabels[label] : undefined
  return words === undefined ? [] : [warningAt(path, `${String(label)} is deprecated; ${words}`)]
}

/** Sources of volumes for which Kubernetes has no driver any more. */
const volumeSources: ReadonlySet<string> = new Set([
  'cephfs',
  'flocker',
  'gitRepo',
  'glusterfs',
  'photonPersistentDisk',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
])

export function oldVolumeSources(sources: readonly string[], path: string): readonly Complaint[] {
  const old = sources.filter((source) => volumeSources.has(source))
  return old.map((source) =>
    warningAt(`${path}.${source}`, 'is deprecated, and off in most clusters; use a CSI driver or an init container'),
  )
}
