import { expect, test, vi } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { silentLogger } from '../observability/index.ts'
import type { QueueSource } from './bullmq/index.ts'
import type { Connection } from './connection.ts'
import { createFetchPlan } from './fetch-plan.ts'
import { Fetcher } from './fetcher.ts'

/** A fetcher whose broker answers nothing until it is told to; each token has locked one job, which the reply to its fetch has brought in vain. */
function lossy(queues: readonly string[]) {
  const asked: { readonly tokens: readonly string[]; readonly answer: () => void }[] = []
  const handedBack: string[] = []
  const redis = {
    on: () => undefined,
    evalsha: (_sha: string, _keys: number, _base: string, ...tokens: string[]) =>
      new Promise((resolve) => asked.push({ tokens, answer: () => resolve(tokens.flatMap((token) => [`job of ${token}`, token])) })),
  }
  const connection = { redis, waitUntilBack: async () => undefined } as unknown as Connection
  const sources = queues.map(
    (name) => ({ name, base: `bull:${name}:`, handBack: async (id: string) => void handedBack.push(id) }) as unknown as QueueSource,
  )
  const fetcher = new Fetcher({
    sources: new Map(sources.map((source) => [source.name, source])),
    plan: createFetchPlan(queues),
    commands: connection,
    blocking: connection,
    clock: fakeClock(0),
    log: silentLogger,
    stopped: new AbortController().signal,
    freeSlots: () => 0,
    newToken: () => 'never',
    onJob: () => undefined,
    isRunning: () => false,
  })
  const isAsked = (index: number): Promise<void> => vi.waitFor(() => expect(asked.length).toBeGreaterThan(index))
  /** Answers the question that was asked as the n-th. */
  const answer = async (index: number): Promise<readonly string[]> => {
    await isAsked(index)
    asked[index]?.answer()
    return asked[index]?.tokens ?? []
  }
  return { fetcher, sources, handedBack, isAsked, answer }
}

test.each([
  ['of the same queue', 0],
  ['of a queue that was asked about before', 1],
])('a reply that is lost while others are asked about is asked about too: %s', async (_, at) => {
  const { fetcher, sources, handedBack, isAsked, answer } = lossy(['first', 'second'])
  const [first, second] = sources
  if (first === undefined || second === undefined) throw new Error('no sources')
  fetcher.suspect(first, 'a')
  fetcher.suspect(second, 'b')
  fetcher.start()
  await isAsked(0)
  if (at === 1) {
    expect(await answer(0)).toEqual(['a'])
    await isAsked(1)
  }
  fetcher.suspect(first, 'late')
  if (at === 0) expect(await answer(0)).toEqual(['a'])
  expect(await answer(1)).toEqual(['b'])
  expect(await answer(2)).toEqual(['late'])
  await vi.waitFor(() => expect(handedBack.toSorted()).toEqual(['job of a', 'job of b', 'job of late']))
})
