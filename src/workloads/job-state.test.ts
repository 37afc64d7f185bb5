import { expect, it } from 'vitest'
import type { Job, Pod } from '../api/index.ts'
import { endOfJob, hasUnreadyPods, describeJobTrouble, hasStartedContainer, describeLastFailure, podSelectorOfJob } from './job-state.ts'

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
  expect(describeJobTrouble([failed, pulling], 0).words).toContain('pod new, container main: ErrImagePull: no such image')
  expect(describeJobTrouble([failed, pulling], 0).reason).toBe('ErrImagePull')
  expect(describeJobTrouble([failed], 0).words).toContain('pod a, container main: exit code 3: boom')
  expect(describeJobTrouble([], 0).words).toContain('it has no pod')
  expect(describeJobTrouble([podOf('fine', { phase: 'Running' })], 0)).toEqual({ unschedulable: 0 })
})

it('a container that runs on a minute after another one has ended keeps the Job from ending', () => {
  const endedAtMs = Date.parse('2026-11-29T01:00:00Z')
  const sidecar = podOf('p', {
    phase: 'Running',
    containerStatuses: [
      { name: 'main', state: { terminated: { exitCode: 0, reason: 'Completed', finishedAt: '2026-11-29T01:00:00Z' } } },
      { name: 'proxy', ready: true, state: { running: {} } },
    ],
  })
  expect(describeJobTrouble([sidecar], endedAtMs + 59_999)).toEqual({ unschedulable: 0 })
  expect(describeJobTrouble([sidecar], endedAtMs + 60_000)).toEqual({
    unschedulable: 0,
    reason: 'proxy still runs',
    blocked: 'ContainerStillRunning',
    words:
      'pod p: container main has ended, and container proxy runs on, so the Job does not end. ' +
      'Next: make proxy an init container with restartPolicy: Always, which ends with the others',
  })
})

it.each<[string, Job['status'], readonly Pod[], boolean]>([
  ['whose image cannot be pulled', { active: 1 }, [pulling], false],
  ['without pods', undefined, [], false],
  ['whose container runs', { active: 1 }, [podOf('p', { containerStatuses: [{ name: 'main', state: { running: {} } }] })], true],
  [
    'whose container crashes',
    { active: 1 },
    [podOf('p', { containerStatuses: [{ name: 'main', restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } }] })],
    true,
  ],
  [
    'whose init container has run',
    { active: 1 },
    [podOf('p', { initContainerStatuses: [{ name: 'i', state: { terminated: { exitCode: 0 } } }], containerStatuses: [{ name: 'main' }] })],
    true,
  ],
  ['of which a pod is ready', { active: 1, ready: 1 }, [], true],
  ['of which a failed pod is gone', { active: 1, failed: 1 }, [], true],
  ['of which a pod was evicted before it started', { failed: 1 }, [podOf('p', { phase: 'Failed', reason: 'Evicted' })], false],
])('a Job %s has started a container: %j', (_, status, pods, want) => {
  expect(hasStartedContainer(jobOf(status), pods)).toBe(want)
})
