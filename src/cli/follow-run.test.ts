/** Waiting for a run, against a scripted API server: what happens there is beyond what a real one can be made to do on time. */
import { expect, it } from 'vitest'
import type { TaskExecution } from '../api/index.ts'
import { fakeClock } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import type { KubeClient } from '../kube/index.ts'
import type { Context } from './command.ts'
import { waitForEnd } from './follow-run.ts'

type Answer = TaskExecution | Error
type Event = { readonly type: 'MODIFIED' | 'DELETED'; readonly object: TaskExecution }

const runOf = (status?: object, uid = 'u1'): TaskExecution =>
  ({
    metadata: { namespace: 'acme', name: 'x7k2p', uid, resourceVersion: '1' },
    spec: { dependencyRef: { name: 'g' }, desiredState: 'Running' },
    ...(status === undefined ? {} : { status: { observedGeneration: 1, ...status } }),
  }) as unknown as TaskExecution

/** A server that answers each look at the run with the next answer, and each watch with the next list of events; then it is silent. */
function waiting(answers: readonly Answer[], watches: readonly (readonly Event[])[] = []) {
  const clock = fakeClock()
  const stop = new AbortController()
  let err = ''
  let [looks, watched] = [0, 0]
  const untilStopped = () =>
    new Promise<never>((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true }))
  const client = {
    async get() {
      const answer = answers[looks++]
      if (answer === undefined) return untilStopped()
      if (answer instanceof Error) throw answer
      return answer
    },
    async *watch(): AsyncGenerator<Event> {
      const events = watches[watched++]
      if (events === undefined) return yield await untilStopped()
      yield* events
    },
  } as unknown as KubeClient
  const context = { client, clock, stop: stop.signal, namespace: 'acme', where: ' -n acme', program: 'taskmill' } as unknown as Context
  const end = waitForEnd({ ...context, err: (text) => void (err += text) }, runOf())
  return { clock, stop, end, looks: () => looks, told: () => err.split('\n').filter((line) => line !== '') }
}

const running = (progress: string, waitingFor?: string) => runOf({ state: 'Running', progress, waitingFor })
const unreachable = taskmillError('TM_KUBE_UNAVAILABLE', 'connect ECONNREFUSED')

it.each<[string, object, number, string]>([
  ['Succeeded', { durationSeconds: 12, result: '{"items":3}' }, 0, 'Succeeded after 12s. Result: {"items":3}'],
  ['Skipped', { durationSeconds: 0 }, 0, 'Skipped after 0s'],
  [
    'Failed',
    { durationSeconds: 90, failureMessage: 'task: full' },
    3,
    'Failed after 1m30s: task: full. Next: kubectl describe tex x7k2p -n acme',
  ],
  [
    'TimedOut',
    { durationSeconds: 5, failureMessage: 'too late' },
    4,
    'TimedOut after 5s: too late. Next: kubectl describe tex x7k2p -n acme',
  ],
  [
    'Cancelled',
    { durationSeconds: 5, nodes: [{ name: 'a', state: 'Cancelled', message: 'its job still runs' }] },
    5,
    'Cancelled after 5s. a: its job still runs',
  ],
])('a run that ended as %s', async (state, status, exitCode, words) => {
  expect(await waiting([runOf({ state, ...status })]).end).toEqual({ exitCode, words: `tex/x7k2p -n acme: ${words}` })
})

it('tells each step once', async () => {
  const events = [running('0/2', 'a'), running('0/2', 'a'), running('1/2', 'b'), runOf({ state: 'Succeeded' })]
  const { end, told } = waiting([running('0/2', 'a')], [events.map((object) => ({ type: 'MODIFIED', object }) as const)])
  await end
  expect(told()).toEqual(['tex/x7k2p: Running 0/2, waiting for a', 'tex/x7k2p: Running 1/2, waiting for b'])
})

it('says why a run does not begin', async () => {
  const conditions = [{ type: 'Succeeded', status: 'Unknown', reason: 'BrokerNotFound', message: 'TaskBroker "default" does not exist' }]
  const { end, told } = waiting([runOf({ state: 'Pending', conditions })], [[{ type: 'DELETED', object: runOf({ state: 'Pending' }) }]])
  await end
  expect(told()[0]).toBe('tex/x7k2p: Pending: TaskBroker "default" does not exist')
})

it('says so when no operator has looked at the run for ten seconds, and not before', async () => {
  const { clock, stop, end, told } = waiting([runOf()])
  await clock.advance(9_999)
  expect(told()).toEqual([])
  await clock.advance(1)
  expect(told()).toEqual([expect.stringContaining('no operator has seen it yet. Next: ')])
  stop.abort()
  await end
})

it('keeps waiting while the API server is away, and says so once', async () => {
  const { clock, end, told } = waiting([running('0/1'), unreachable, unreachable, runOf({ state: 'Succeeded' })], [[]])
  await clock.advance(6_000)
  expect((await end).exitCode).toBe(0)
  expect(told()).toEqual(['tex/x7k2p: Running 0/1', 'tex/x7k2p: the run continues, but its state cannot be read: connect ECONNREFUSED'])
})

it('asks no oftener than every two seconds where each watch is ended at once', async () => {
  const many = Array.from({ length: 100 }, () => running('0/1'))
  const { clock, stop, end, looks } = waiting(
    many,
    many.map(() => []),
  )
  await clock.advance(10_000)
  expect(looks()).toBe(6)
  stop.abort()
  await end
})

it.each<[string, readonly Answer[], readonly (readonly Event[])[]]>([
  ['before it was looked at', [taskmillError('TM_KUBE_NOT_FOUND', 'gone')], []],
  ['while it was watched', [running('0/1')], [[{ type: 'DELETED', object: running('0/1') }]]],
  ['and another one has its name', [runOf({ state: 'Succeeded' }, 'u2')], []],
])('a run that was deleted %s counts as cancelled', async (_, answers, watches) => {
  expect(await waiting(answers, watches).end).toEqual({ exitCode: 5, words: 'tex/x7k2p -n acme was deleted, which cancels it' })
})

it('does not touch the run when the wait is interrupted, and says how far the run is', async () => {
  const { clock, stop, end } = waiting([running('1/4', 'summary')])
  await clock.advance(0)
  stop.abort()
  expect(await end).toEqual({
    exitCode: 130,
    words: 'tex/x7k2p -n acme continues: Running 1/4, waiting for summary. Cancel: taskmill cancel tex/x7k2p -n acme',
  })
})

it('a lasting error of the watch ends the wait', async () => {
  const forbidden = taskmillError('TM_KUBE_FORBIDDEN', 'cannot watch')
  await expect(waiting([forbidden]).end).rejects.toBe(forbidden)
})
