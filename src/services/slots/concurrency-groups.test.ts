import { expect, test } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { random } from '../../../test/support/random.ts'
import { createConcurrencyGroups, type GroupMember } from './concurrency-groups.ts'

/** A group in one namespace, and a leader of epoch 1. */
function world(limit: number, names: readonly string[]) {
  const clock = fakeClock()
  const groups = createConcurrencyGroups({ clock })
  const here = new Set(names.map((name) => `team/${name}`))
  const heard: string[] = []
  groups.onChange((key) => void heard.push(key.slice('team/'.length)))
  const memberOf = (name: string): GroupMember => ({ group: 'team/default/g', key: `team/${name}`, members: () => [...here], limit })
  return {
    clock,
    groups,
    here,
    memberOf,
    /** What was announced since it was asked last. */
    heard: () => heard.splice(0),
    visit: (name: string, epoch = 1) => groups.place(memberOf(name), epoch),
    /** Each look is a visit of its own. */
    look(name: string, head: number | undefined, runs = 0, epoch = 1) {
      const answer = groups.place(memberOf(name), epoch).mayStart({ head, runs })
      groups.looked(memberOf(name), epoch)
      return answer
    },
  }
}

test('room goes to the oldest slot, and ties to the first name', () => {
  const { look } = world(2, ['a', 'b', 'c', 'd'])
  look('a', 300)
  look('b', 100)
  look('c', 200)
  expect(look('d', 200)).toBe(false)
  expect(look('a', 300)).toBe(false)
  expect(look('b', 100)).toBe(true)
  expect(look('c', 200)).toBe(true)
})

test('runs take the room, and when one ends, the schedule whose slot starts next is announced, and only that one', () => {
  const { look, heard } = world(1, ['a', 'b', 'c'])
  look('a', undefined, 1)
  look('b', 200)
  expect(look('c', 100)).toBe(false)
  heard()
  expect(look('a', undefined, 0)).toBe(false)
  expect(heard()).toEqual(['c'])
  expect(look('c', 100)).toBe(true)
})

test('a schedule that can no longer start holds up nobody', () => {
  const { look, heard, groups, memberOf } = world(1, ['a', 'b'])
  look('a', 100)
  expect(look('b', 200)).toBe(false)
  look('a', undefined)
  expect(heard()).toContain('b')
  expect(look('b', 200)).toBe(true)
  look('a', 100)
  heard()
  groups.stepAside(memberOf('a'), 1, 0)
  expect(heard()).toEqual(['b'])
  expect(look('b', 200)).toBe(true)
})

test('one that is gone, or in another group, counts no longer', () => {
  const { look, here, groups } = world(1, ['a', 'b'])
  look('a', 100, 1)
  look('b', 200)
  here.delete('team/a')
  expect(look('b', 200)).toBe(true)
  groups.forget('team/a')
  here.add('team/a')
  expect(look('b', 200)).toBe(false)
})

test('after a change of leader nothing starts before all were looked at, or 10 s have passed', async () => {
  const { look, clock, heard } = world(1, ['a', 'b'])
  look('a', undefined, 0)
  expect(look('b', 200)).toBe(true)
  // What the one before found does not count.
  expect(look('b', 200, 0, 2)).toBe(false)
  look('a', 100, 0, 2)
  expect(look('b', 200, 0, 2)).toBe(false)
  expect(look('a', 100, 0, 2)).toBe(true)
  heard()
  look('b', 200, 0, 3)
  await clock.advance(9_999)
  expect(look('b', 200, 0, 3)).toBe(false)
  await clock.advance(1)
  expect(look('b', 200, 0, 3)).toBe(true)
})

test('a visit that has not come to its end may still find an older slot', () => {
  const { look, visit, groups, memberOf } = world(1, ['a', 'b'])
  const a = visit('a')
  // It has yet to record the end of its run.
  a.mayStart({ head: undefined, runs: 1 })
  expect(look('b', 200)).toBe(false)
  a.mayStart({ head: undefined, runs: 0 })
  expect(look('b', 200)).toBe(false)
  a.mayStart({ head: 100, runs: 0 })
  groups.looked(memberOf('a'), 1)
  expect(look('b', 200)).toBe(false)
})

test('the first look at the last of them announces whose slot starts', () => {
  const { look, heard } = world(1, ['a', 'b'])
  expect(look('b', 200)).toBe(false)
  look('a', undefined)
  expect(heard()).toEqual(['b'])
})

test('what the broker refuses is not tried again in the same visit, and what it counts is believed', () => {
  const { visit, look, groups, memberOf } = world(1, ['a', 'b'])
  look('a', undefined, 0)
  look('b', undefined, 0)
  const b = visit('b')
  expect(b.mayStart({ head: 100, runs: 0 })).toBe(true)
  b.refused(new Map([['default/team/a', 1]]))
  expect(b.mayStart({ head: 100, runs: 0 })).toBe(false)
  expect(b.gone()).toEqual([])
  expect(groups.show(memberOf('b'))).toEqual({ running: [{ key: 'team/a', runs: 1 }], first: { key: 'team/b', slot: 100 } })
})

test('runs of schedules that are gone are given up with the second try, and not with a third', () => {
  const { visit, here } = world(1, ['a'])
  const a = visit('a')
  a.mayStart({ head: 100, runs: 0 })
  a.refused(new Map([['default/team/old', 1]]))
  expect(a.gone()).toEqual(['default/team/old'])
  expect(a.mayStart({ head: 100, runs: 0 })).toBe(true)
  a.refused(new Map([['default/team/old', 1]]))
  expect(a.mayStart({ head: 100, runs: 0 })).toBe(false)
  // It has come back.
  here.add('team/old')
  expect(a.gone()).toEqual([])
})

test('knows whether slots of others wait', () => {
  const { look, visit } = world(1, ['a', 'b'])
  look('a', undefined, 1)
  expect(visit('a').isAwaited()).toBe(false)
  look('b', 100)
  expect(visit('a').isAwaited()).toBe(true)
  expect(visit('b').isAwaited()).toBe(false)
})

test('whatever happens in which order: the limit holds, nobody waits while there is room, and the oldest starts first', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const rng = random(seed)
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, 2 + Math.floor(rng() * 5))
    const limit = 1 + Math.floor(rng() * 3)
    const { look, heard } = world(limit, names)
    const runs = new Map(names.map((name) => [name, 0]))
    const waiting = new Map<string, number>()
    let nextSlot = 100
    const active = () => [...runs.values()].reduce((sum, each) => sum + each, 0)
    const visitOf = (name: string): void => {
      const slot = runs.get(name) === 0 ? waiting.get(name) : undefined
      if (!look(name, slot, runs.get(name))) return
      const older = names.filter((each) => runs.get(each) === 0 && (waiting.get(each) ?? Infinity) < (slot ?? 0))
      expect(older.length, `seed ${seed}: ${name} starts before ${older.join()}`).toBeLessThan(limit - active())
      waiting.delete(name)
      runs.set(name, 1)
      look(name, undefined, 1)
    }
    for (const name of names) visitOf(name)
    for (let count = 0; count < 60; count++) {
      const name = names[Math.floor(rng() * names.length)] ?? 'a'
      if (rng() < 0.5) waiting.set(name, waiting.get(name) ?? nextSlot++)
      else runs.set(name, 0)
      // Only what has an event is looked at: its own, or what is announced.
      visitOf(name)
      for (let [told] = heard().slice(-1); told !== undefined; [told] = heard().slice(-1)) visitOf(told)
      expect(active(), `seed ${seed}`).toBeLessThanOrEqual(limit)
      const stuck = names.filter((each) => waiting.has(each) && runs.get(each) === 0)
      if (active() < limit) expect(stuck, `seed ${seed}: there is room, and these wait`).toEqual([])
    }
  }
})
