import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { readRepeatingJobs } from './repeating-jobs.ts'

/** A queue with so many job schedulers, of which the one that is due first comes last as soon as a page has been read. */
function busyRedis(count: number): Redis {
  const keys = Array.from({ length: count }, (_, index) => `s${String(index).padStart(5, '0')}`)
  const scores = new Map(keys.map((key, index) => [key, index]))
  let later = count
  const sorted = () => [...scores].toSorted(([, a], [, b]) => a - b)
  const fire = () => scores.set(sorted()[0]?.[0] ?? '', later++)
  const reply = (entries: readonly (readonly [string, number])[]) => entries.flatMap(([key, score]) => [key, String(score)])
  return {
    async zrange(_key: string, from: string, to: string) {
      const page = sorted().slice(Number(from), Number(to) + 1)
      fire()
      return reply(page)
    },
    // As Redis: what is there all the time is returned at least once.
    async zscan(_key: string, cursor: string, _count: string, size: number) {
      const from = Number(cursor)
      const page = keys.slice(Math.max(0, from - 1), from + size).map((key) => [key, scores.get(key) ?? 0] as const)
      fire()
      return [from + size < keys.length ? String(from + size) : '0', reply(page)]
    },
    hgetall: async (key: string) => ({ name: key, ic: '1' }),
    hmget: async () => [],
  } as unknown as Redis
}

test('no scheduler is lost or read twice while others fall due', async () => {
  const read = await readRepeatingJobs(busyRedis(450), 'bull', ['mail'], new AbortController().signal)
  if ('tooMany' in read) throw new Error('too many')
  const keys = read.flatMap(({ repeating }) => repeating.map(({ key }) => key))
  expect(keys.length).toBe(450)
  expect(new Set(keys).size).toBe(450)
})
