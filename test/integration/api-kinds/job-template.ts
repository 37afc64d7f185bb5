import type { BadManifest, Words } from './kind-case.ts'

const container = { name: 'main', image: 'app:1' }
const pod = { restartPolicy: 'Never', containers: [container] }

/** Uses every declared field, and some that are not. */
export const jobTemplate = {
  // As tools that were written in Go print it.
  metadata: { creationTimestamp: null, labels: { team: 'mail' }, annotations: { note: 'kept' } },
  spec: {
    suspend: false,
    manualSelector: false,
    backoffLimit: 3,
    ttlSecondsAfterFinished: 3600,
    template: {
      metadata: { creationTimestamp: null, labels: { app: 'backup' }, annotations: { note: 'kept' } },
      spec: { ...pod, serviceAccountName: 'backup', containers: [{ ...container, args: ['--slot=$(slot)'] }] },
    },
  },
}

/** What a template of a Job at `field` refuses; `around` puts it where it is. */
export function jobWords(field: string, at: string, around: (job: object) => unknown): readonly Words[] {
  const refused = (name: string, value: unknown): Words => ({
    field: `${field}.spec`,
    at,
    named: `${field}.spec.${name}`,
    values: [around({ spec: { [name]: value, template: { spec: pod } } })],
  })
  return [refused('suspend', true), refused('manualSelector', true)]
}

/** Manifests with a template of a Job at `field` as people get it wrong; `around` writes the manifest. */
export function badJobManifests(field: string, around: (job: string) => string): readonly BadManifest[] {
  const pods = (policy: string) => `template: { spec: { restartPolicy: ${policy}, containers: [{ name: main, image: "app:1" }] } }`
  const refused = (title: string, spec: string, answer: string): BadManifest => ({
    title: `${title} (${field})`,
    manifest: around(`{ spec: { ${spec} } }`),
    answer: `${field}.spec.${answer}`,
  })
  return [
    refused(
      'a Job that is suspended',
      `suspend: true, ${pods('Never')}`,
      'suspend: Invalid value: "object": suspend cannot be true: the Job would never start. Remove suspend',
    ),
    refused(
      'a Job that selects pods by itself',
      `manualSelector: true, ${pods('Never')}`,
      'manualSelector: Invalid value: "object": manualSelector cannot be true: every run is a Job with pods of its own. Remove manualSelector and selector',
    ),
    refused(
      'a Job whose pods are to be restarted for ever',
      pods('Always'),
      'template.spec.restartPolicy: Unsupported value: "Always": supported values: "Never", "OnFailure"',
    ),
  ]
}
