import { expect, it } from 'vitest'
import type { Job, Pod } from '../api/index.ts'
import { endOfJob, hasUnreadyPods, describeJobTrouble, describeLastFailure, podSelectorOfJob } from './job-state.ts'

const jobOf = (status: Job['status']): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'x', uid: 'job-uid' },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'acme:1' }] } } },
  ...(status === undefined ? {} : { status }),
})
const startTime = '2026-11-29T00:00:00Z'
const startedAtMs = Date.parse(startTime)
const now = '2026-11-29T00:01:00Z'
const condition = (type: string, status = 'True', more: object = {}) => ({ type, status, lastTransitionTime: now, ...more })

it.each<[string, Job['status'], ReturnType<typeof endOfJob>]>([
  ['without a status', undefined, undefined],
  ['that runs', { startTime, active: 1 }, undefined],
  ['whose pods are still ending', { startTime, failed: 1, conditions: [condition('FailureTarget')] }, undefined],
  ['that was suspended for a while', { conditions: [condition('Suspended', 'False')] }, undefined],
  [
    'that succeeded at the second attempt',
    { startTime, completionTime: now, succeeded: 1, failed: 1, conditions: [condition('SuccessCriteriaMet'), condition('Complete')] },
    { outcome: 'Succeeded', reason: 'Succeeded', attemptsMade: 2, startedAtMs, finishedAtMs: startedAtMs + 60_000 },
  ],
  [
    'that failed',
    { startTime, failed: 3, conditions: [condition('Failed', 'True', { reason: 'BackoffLimitExceeded', message: 'it has reached it' })] },
    {
      outcome: 'Failed',
      reason: 'BackoffLimitExceeded',
      message: 'it has reached it',
      attemptsMade: 3,
      startedAtMs,
      finishedAtMs: startedAtMs + 60_000,
    },
  ],
  [
    'that failed without a word',
    { conditions: [{ type: 'Failed', status: 'True' }] },
    { outcome: 'Failed', reason: 'Failed', attemptsMade: 0 },
  ],
])('a Job %s', (_, status, end) => {
  expect(endOfJob(jobOf(status))).toEqual(end)
})

it.each<[Job['status'], boolean]>([
  [undefined, true],
  [{ active: 1 }, true],
  [{ active: 2, ready: 1 }, true],
  [{ active: 1, ready: 1 }, false],
  [{ failed: 1, conditions: [condition('Failed')] }, false],
])('%j: there is something to look for among its pods: %s', (status, wanting) => {
  expect(hasUnreadyPods(jobOf(status))).toBe(wanting)
  expect(podSelectorOfJob(jobOf(status))).toBe('batch.kubernetes.io/controller-uid=job-uid')
})

const podOf = (name: string, status: Pod['status'], creationTimestamp = startTime): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, creationTimestamp },
  spec: {},
  ...(status === undefined ? {} : { status }),
})
const failedPod = (name: string, message: string, created: string, reason = 'Error', exitCode = 3): Pod =>
  podOf(name, { phase: 'Failed', containerStatuses: [{ name: 'main', state: { terminated: { exitCode, reason, message } } }] }, created)
const pulling = podOf('new', {
  phase: 'Pending',
  containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } }],
})

it('the last words are those of the pod that failed last, with its exit code', () => {
  const pods = [failedPod('b', 'disk full', '2026-11-29T00:00:30Z'), failedPod('a', 'first', startTime), pulling]
  expect(describeLastFailure(pods)).toEqual({
    pod: 'b',
    reason: 'exit code 3',
    words: 'pod b, container main: exit code 3: disk full. Next: kubectl logs b -c main',
  })
  const killed = failedPod('k', '', now, 'OOMKilled', 137)
  expect(describeLastFailure([...pods, killed])?.words).toBe(
    "pod k, container main: OOMKilled, exit code 137. Next: raise the container's limits.memory",
  )
  expect(describeLastFailure([pulling])).toBeUndefined()
})

it('while a Job runs the trouble is that of its present pods, and that of the last one while there is none', () => {
  const failed = failedPod('a', 'boom', startTime)
  expect(describeJobTrouble([failed, pulling]).words).toContain('pod new, container main: ErrImagePull: no such image')
  expect(describeJobTrouble([failed, pulling]).reason).toBe('ErrImagePull')
  expect(describeJobTrouble([failed]).words).toContain('pod a, container main: exit code 3: boom')
  expect(describeJobTrouble([]).words).toContain('it has no pod')
  expect(describeJobTrouble([podOf('fine', { phase: 'Running' })])).toEqual({ unschedulable: 0 })
})
