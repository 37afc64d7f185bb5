import { expect, it } from 'vitest'
import type { ContainerStatus, Pod } from '../api/index.ts'
import { describePodTrouble } from './pod-trouble.ts'

const podOf = (name: string, status: Pod['status'], deletionTimestamp?: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  spec: {},
  ...(status === undefined ? {} : { status }),
})
const worker = (part: Partial<ContainerStatus>): Pod['status'] => ({ containerStatuses: [{ name: 'worker', ready: false, ...part }] })
const waiting = (reason: string, message?: string): Pod['status'] =>
  worker({ state: { waiting: { reason, ...(message === undefined ? {} : { message }) } } })
const ended = (exitCode: number, reason: string, message?: string) => ({
  terminated: { exitCode, reason, ...(message === undefined ? {} : { message }) },
})
const crashing = (last: ContainerStatus['lastState']): Pod['status'] =>
  worker({
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
    ...(last === undefined ? {} : { lastState: last }),
  })
const unschedulable: Pod['status'] = {
  conditions: [
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available: 1 Insufficient memory.' },
  ],
}

it.each<{ name: string; status: Pod['status']; words: string | undefined }>([
  { name: 'starting', status: waiting('ContainerCreating'), words: undefined },
  { name: 'running', status: worker({ ready: true, state: { running: {} }, lastState: ended(1, 'Error') }), words: undefined },
  { name: 'without a status', status: undefined, words: undefined },
  {
    name: 'crashing',
    status: crashing(ended(1, 'Error', ' Error: no\n   handler \n')),
    words: 'pod p, container worker: CrashLoopBackOff, exit code 1: Error: no handler. Next: kubectl logs p -c worker --previous',
  },
  {
    name: 'just crashed',
    status: worker({ state: ended(2, 'Error') }),
    words: 'pod p, container worker: exit code 2. Next: kubectl logs p -c worker',
  },
  {
    name: 'running again after a crash, not ready yet',
    status: worker({ state: { running: {} }, lastState: ended(1, 'Error', 'boom') }),
    words: 'pod p, container worker: exit code 1: boom. Next: kubectl logs p -c worker --previous',
  },
  {
    name: 'out of memory',
    status: crashing(ended(137, 'OOMKilled')),
    words: "pod p, container worker: CrashLoopBackOff, OOMKilled, exit code 137. Next: raise the container's limits.memory",
  },
  {
    name: 'ending without an error',
    status: crashing(ended(0, 'Completed')),
    words:
      'pod p, container worker: CrashLoopBackOff, the container ended with exit code 0, but must keep running. Next: kubectl logs p -c worker --previous',
  },
  {
    name: 'without its image',
    status: waiting('ImagePullBackOff', 'Back-off pulling image "acme:9": not found'),
    words:
      'pod p, container worker: ImagePullBackOff: Back-off pulling image "acme:9": not found. Next: correct the image, or the pull secret and the registry',
  },
  {
    name: 'without its Secret',
    status: waiting('CreateContainerConfigError', 'secret "redis-auth" not found'),
    words:
      'pod p, container worker: CreateContainerConfigError: secret "redis-auth" not found. Next: create the Secret or ConfigMap that is named, or correct the reference',
  },
  {
    name: 'with a command that is not there',
    status: waiting('CreateContainerError', 'exec: "no": not found'),
    words: `pod p, container worker: CreateContainerError: exec: "no": not found. Next: correct the container's command, args or mounts`,
  },
  { name: 'with a word of its own', status: waiting('Strange'), words: 'pod p, container worker: Strange. Next: kubectl describe pod p' },
  {
    name: 'evicted',
    status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
    words: 'pod p: Evicted: The node was low on resource: memory. Next: kubectl describe pod p',
  },
  {
    name: 'without a node',
    status: unschedulable,
    words: 'pod p: Unschedulable: 0/1 nodes are available: 1 Insufficient memory. Next: add a node or lower the requests',
  },
  {
    name: 'failing in an init container',
    status: {
      initContainerStatuses: [{ name: 'migrate', state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended(3, 'Error') }],
    },
    words: 'pod p, container migrate: CrashLoopBackOff, exit code 3. Next: kubectl logs p -c migrate --previous',
  },
])('a pod $name', ({ status, words }) => {
  expect(describePodTrouble([podOf('p', status)]).words).toBe(words)
})

it('names the most telling of many, always the same', () => {
  const pods = [
    podOf('c', crashing(ended(1, 'Error'))),
    podOf('b', unschedulable),
    podOf('d', waiting('ErrImagePull', 'no')),
    podOf('a', worker({ ready: true })),
  ]
  const trouble = describePodTrouble(pods)
  expect(trouble.words).toMatch(/^3 pods have problems, for example pod d, container worker: ErrImagePull: no\. Next: /u)
  expect(describePodTrouble(pods.toReversed())).toEqual(trouble)
  expect(trouble).toMatchObject({
    unschedulable: 1,
    unschedulableWords: '1 of 4 pods Pending: 0/1 nodes are available: 1 Insufficient memory',
  })
})

it('leaves out pods that are being deleted', () => {
  expect(describePodTrouble([podOf('old', crashing(ended(1, 'Error')), '2026-11-23T03:00:00Z')])).toEqual({ unschedulable: 0 })
})

it('keeps the end of a long message, where the reason stands', () => {
  const { words } = describePodTrouble([podOf('p', crashing(ended(1, 'Error', `${'noise '.repeat(500)}the cause`)))])
  expect(words).toContain('the cause. Next')
  expect(words?.length).toBeLessThan(600)
})
