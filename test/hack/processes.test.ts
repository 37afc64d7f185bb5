import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cached, hashOf, lock } from '../../hack/cluster/cache.ts'
import { aliveProcesses, deadProcesses } from '../../hack/cluster/native/state.ts'
import { isAlive, parseStat, processStart, startDetached, stopProcesses } from '../../hack/cluster/processes.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'taskmill-hack-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const self = { pid: process.pid, startedAt: processStart(process.pid) ?? '' }
const stat = (state: string): string => `7 (a) b (c) ${state} 1 ${Array.from({ length: 17 }, () => 0).join(' ')} 4711 0 0`

test('the start time is found behind a name with parentheses, and a zombie is not running', () => {
  expect(parseStat(stat('S'))).toBe('4711')
  expect(parseStat(stat('Z'))).toBeUndefined()
})

test('a pid that the system gave to another process is neither alive nor killed', async () => {
  const recycled = { pid: process.pid, startedAt: '1' }
  expect(isAlive(self)).toBe(true)
  expect(isAlive(recycled)).toBe(false)
  await stopProcesses([recycled], 0)
  expect(isAlive(self)).toBe(true)
})

test('after a reboot nothing that was recorded is ours', () => {
  const state = { bootId: 'before', hostAddress: '', images: {}, processes: { etcd: self } }
  expect(aliveProcesses(state, 'before')).toEqual([self])
  expect(aliveProcesses(state, 'after')).toEqual([])
  expect(deadProcesses(state, 'after')).toEqual(['etcd'])
})

test('a detached process is ended although it ignores SIGTERM', async () => {
  const log = join(folder, 'log')
  const id = startDetached('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'], log)
  await expect.poll(() => readFile(log, 'utf8')).toContain('ready')
  await stopProcesses([id], 100)
  expect(isAlive(id)).toBe(false)
})

test('an entry of the cache is made once, however many want it', async () => {
  let made = 0
  const path = join(folder, 'cache', 'entry')
  const want = (): Promise<string> =>
    cached(path, async (temporary) => {
      made += 1
      await writeFile(temporary, 'whole')
    })
  await Promise.all([want(), want(), want()])
  expect(made).toBe(1)
  expect(await readFile(path, 'utf8')).toBe('whole')
})

test('an entry whose making failed is not there, and the next one makes it', async () => {
  const path = join(folder, 'cache', 'failing')
  const failing = cached(path, async (temporary) => {
    await writeFile(temporary, 'half')
    throw new Error('interrupted')
  })
  await expect(failing).rejects.toThrow('interrupted')
  await cached(path, (temporary) => writeFile(temporary, 'whole'))
  expect(await readFile(path, 'utf8')).toBe('whole')
})

test('a lock is held by one at a time', async () => {
  let holders = 0
  let most = 0
  const use = async (): Promise<void> => {
    const release = await lock(folder)
    holders += 1
    most = Math.max(most, holders)
    await setImmediate()
    holders -= 1
    await release()
  }
  await Promise.all([use(), use(), use()])
  expect(most).toBe(1)
})

test('the lock of a process that was killed is free', async () => {
  const cache = join(import.meta.dirname, '..', '..', 'hack', 'cluster', 'cache.ts')
  const holder = spawn(process.execPath, [
    '-e',
    `import(${JSON.stringify(cache)}).then(({ lock }) => lock('test')).then(() => console.log('held'))`,
  ])
  await once(holder.stdout, 'data')
  holder.kill('SIGKILL')
  const release = await lock('test')
  await release()
})

test('a key changes with contents and with names', async () => {
  const one = join(folder, 'one')
  const other = join(folder, 'other')
  await Promise.all([writeFile(one, 'a'), writeFile(other, 'a')])
  const keys = [
    await hashOf({ paths: [one] }),
    await hashOf({ paths: [one, other] }),
    await hashOf({ texts: ['a', 'b'] }),
    await hashOf({ texts: ['ab'] }),
  ]
  await writeFile(one, 'b')
  keys.push(await hashOf({ paths: [one] }))
  expect(new Set(keys).size).toBe(keys.length)
})
