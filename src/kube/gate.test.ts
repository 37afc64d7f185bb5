import { expect, test } from 'vitest'
import { createGate } from './gate.ts'

const never = new AbortController().signal

test('lets so many in at a time, and the others in the order in which they came', async () => {
  const gate = createGate(2)
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
  const gate = createGate(1)
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
