import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { createGate } from './gate.ts'

const never = new AbortController().signal

test('lets so many in at a time, and the others in the order in which they came', async () => {
  const gate = createGate({ clock: fakeClock(), atOnce: 2 })
  const inside: string[] = []
  const leaves = new Map<string, () => void>()
  const enter = async (name: string): Promise<void> => {
    leaves.set(name, await gate.enter(never))
    inside.push(name)
  }
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(enter))
  await Promise.resolve()
  expect(inside).toEqual(['a', 'b'])
  leaves.get('b')?.()
  await new Promise(setImmediate)
  expect(inside).toEqual(['a', 'b', 'c'])
  leaves.get('a')?.()
  leaves.get('c')?.()
  await all
  expect(inside).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('one that is given up while it waits takes no place', async () => {
  const gate = createGate({ clock: fakeClock(), atOnce: 1 })
  const leave = await gate.enter(never)
  const impatient = new AbortController()
  const given = gate.enter(impatient.signal)
  const patient = gate.enter(never)
  impatient.abort('enough')
  await expect(given).rejects.toBe('enough')
  leave()
  await expect(patient).resolves.toBeTypeOf('function')
  await expect(gate.enter(AbortSignal.abort('too late'))).rejects.toBe('too late')
})

/** Writers that enter one after the other, and how many of them are inside. */
function crowd(atOnce: number, count: number) {
  const clock = fakeClock()
  const gate = createGate({ clock, atOnce })
  const leaves: (() => void)[] = []
  const entered = Array.from({ length: count }, async () => void leaves.push(await gate.enter(never)))
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  /** Those who are inside leave, with this answer. */
  const all = async (answer: 'refused' | 'answered', waitMs = 5_000) => {
    for (const leave of leaves.splice(0)) {
      if (answer === 'refused') gate.refused(waitMs)
      else gate.answered()
      leave()
    }
    await settle()
    return leaves.length
  }
  return { clock, gate, entered, inside: () => leaves.length, settle, all }
}

test('a server that refuses everything is asked once a second', async () => {
  const { clock, all, inside, settle } = crowd(32, 1_000)
  await settle()
  expect(inside()).toBe(32)
  await all('refused')
  let asked = 32
  for (let second = 0; second < 10; second++) {
    expect(inside()).toBe(0)
    await clock.advance(999)
    expect(inside()).toBe(0)
    await clock.advance(1)
    await settle()
    asked += inside()
    await all('refused')
  }
  expect(asked).toBe(42)
})

test('no pause is longer than the server asks for', async () => {
  const { clock, all, inside, settle } = crowd(1, 10)
  await settle()
  await all('refused', 200)
  expect(inside()).toBe(0)
  await clock.advance(200)
  await settle()
  expect(inside()).toBe(1)
})

test('each answer ends the pause and lets one more in, up to as many as before', async () => {
  const { clock, gate, all, inside, settle } = crowd(4, 100)
  await settle()
  await all('refused')
  expect(inside()).toBe(0)
  await clock.advance(1_000)
  await settle()
  const seen = [inside()]
  for (let turn = 0; turn < 4; turn++) seen.push(await all('answered'))
  expect(seen).toEqual([1, 2, 4, 4, 4])
  gate.close()
  expect(clock.pending()).toEqual([])
})

test('one writer that is refused again and again keeps nobody else out', async () => {
  const { gate, all, inside, settle } = crowd(8, 100)
  await settle()
  for (let turn = 0; turn < 10; turn++) {
    gate.refused(5_000)
    expect(await all('answered')).toBeGreaterThanOrEqual(4)
  }
  expect(inside()).toBeGreaterThan(0)
})
