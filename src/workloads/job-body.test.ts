import { expect, it } from 'vitest'
import type { Job, JobTemplate } from '../api/index.ts'
import { isAcknowledged, isJobFor, buildJob, ttlSecondsOf, type WantedJob } from './job-body.ts'

const template: JobTemplate = {
  metadata: { labels: { team: 'mail', 'taskmill.dev/node': 'mine' }, annotations: { note: 'x' } },
  spec: {
    backoffLimit: 2,
    ttlSecondsAfterFinished: 900,
    template: {
      metadata: { labels: { app: 'backup' } },
      spec: {
        restartPolicy: 'Never',
        serviceAccountName: 'backup',
        initContainers: [{ name: 'init', image: 'acme:1' }],
        containers: [
          { name: 'main', image: 'acme:1', command: ['run'] },
          { name: 'side', image: 'acme:2', terminationMessagePolicy: 'File' },
        ],
      },
    },
  },
}
const owner = { apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskExecution', name: 'x7k2p', uid: 'u', controller: true }
const wanted: WantedJob = {
  id: 'tm/a',
  namespace: 'acme',
  name: 'x-1',
  labels: { 'taskmill.dev/node': 'fetch' },
  owner,
  template,
  field: 'spec.job',
}
const last = { terminationMessagePolicy: 'FallbackToLogsOnError' }

it('keeps the template except for the owner, the TTL and the termination message policy', () => {
  expect(buildJob(wanted)).toEqual({
    metadata: {
      name: 'x-1',
      namespace: 'acme',
      labels: { team: 'mail', 'taskmill.dev/node': 'fetch' },
      annotations: { note: 'x', 'taskmill.dev/job-id': 'tm/a', 'taskmill.dev/ttl-seconds-after-finished': '900' },
      ownerReferences: [owner],
    },
    spec: {
      backoffLimit: 2,
      template: {
        metadata: { labels: { app: 'backup', 'taskmill.dev/node': 'fetch' } },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: 'backup',
          initContainers: [{ name: 'init', image: 'acme:1', ...last }],
          containers: [
            { name: 'main', image: 'acme:1', command: ['run'], ...last },
            { name: 'side', image: 'acme:2', terminationMessagePolicy: 'File' },
          ],
        },
      },
    },
  })
})

it.each([null, { init: {} }])('leaves initContainers that are %j to the API server', (initContainers) => {
  const pod = { ...template.spec.template.spec, initContainers }
  const odd = { ...template, spec: { ...template.spec, template: { ...template.spec.template, spec: pod } } } as JobTemplate
  expect(buildJob({ ...wanted, template: odd }).spec.template.spec['initContainers']).toEqual(initContainers)
})

it('has no owner reference without an owner', () => {
  expect(buildJob({ ...wanted, owner: undefined }).metadata).not.toHaveProperty('ownerReferences')
})

const jobOf = (annotations: Record<string, string>): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  ...buildJob(wanted),
  metadata: { name: 'x-1', annotations },
})

it('is identified by its job id, not by its name', () => {
  expect(isJobFor(jobOf({ 'taskmill.dev/job-id': 'tm/a' }), 'tm/a')).toBe(true)
  expect(isJobFor(jobOf({ 'taskmill.dev/job-id': 'tm/b' }), 'tm/a')).toBe(false)
  expect(isJobFor(jobOf({}), 'tm/a')).toBe(false)
  expect(isAcknowledged(jobOf({}))).toBe(false)
  expect(isAcknowledged(jobOf({ 'taskmill.dev/recorded': 'true' }))).toBe(true)
})

it.each([
  [{ 'taskmill.dev/ttl-seconds-after-finished': '900' }, 'Succeeded', 900],
  [{ 'taskmill.dev/ttl-seconds-after-finished': '5' }, 'Failed', 600],
  [{ 'taskmill.dev/ttl-seconds-after-finished': 'soon' }, 'Succeeded', 86_400],
  [{}, 'Succeeded', 86_400],
  [{}, 'Failed', 604_800],
] as const)('with %j one that %s stays %i s', (annotations, outcome, seconds) => {
  expect(ttlSecondsOf(jobOf(annotations as Record<string, string>), outcome)).toBe(seconds)
})
