import { array, assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { everyMinute, forbid, graph, home, minute, planOf, slot, start } from './fixtures.ts'
import { dueAt } from './jitter.ts'
import type { SchedulePlan } from './ledger.ts'

describe('a delayed run', () => {
  /** The first slots are due after 42, 29 and 33 s; with 40 after 38 s, with 59 after 6 s. */
  const delayed = (jitterSeconds: number, change: Partial<SchedulePlan> = {}) =>
    planOf({ timing: { ...everyMinute, ...(jitterSeconds > 0 && { jitterSeconds }) }, ...change })
  const due = slot(1) + 42

  it('is placed ahead for the end of its delay', () => {
    const world = home()
    expect(world.lead(start, delayed(50))).toEqual(['adopt'])
    expect(world.untilMs).toBe((due - 90) * 1000)
    expect(world.lead(due - 90, delayed(50))).toEqual(['dispatch'])
    expect(world.ledger?.open).toEqual([{ slot: slot(1), dueAt: due, state: 'Placed', generation: 'a', epoch: 1 }])
    world.lead(due - 1, delayed(50))
    expect(world.ledger).toMatchObject({ dispatched: 0, cursor: start })
    world.lead(due, delayed(50))
    expect(world.ledger).toMatchObject({ dispatched: 1, cursor: slot(1), lastDispatched: { slot: slot(1), dueAt: due, atMs: due * 1000 } })
  })

  it.each([['Forbid', forbid, ['dispatch']] as const, ['a graph', graph, ['intend', 'Place', 'placed']] as const])(
    'is decided at the end of its delay: %s',
    (_, policy, steps) => {
      const world = home()
      world.lead(start, delayed(50, policy))
      expect(world.untilMs).toBe(due * 1000)
      expect(world.lead(due - 1, delayed(50, policy))).toEqual([])
      expect(world.lead(due, delayed(50, policy))).toEqual(steps)
      expect(world.ledger).toMatchObject({ dispatched: 1, active: [{ slot: slot(1), dueAt: due, dispatchedAtMs: due * 1000 }] })
    },
  )

  it('of a schedule that is created between the slot and the end of its delay does not come', () => {
    const world = home()
    const plan = delayed(50, { ...forbid, createdAtMs: (slot(1) + 10) * 1000 })
    world.lead(slot(1) + 10, plan)
    world.lead(due, plan)
    expect(world.ledger).toMatchObject({ dispatched: 0, missed: {} })
  })

  describe.each<[string, { readonly generation?: string }]>([
    ['placed ahead', {}],
    ['a graph', graph],
  ])('that is edited during its delay, %s', (_, policy) => {
    const edited = (jitterSeconds: number, change: Partial<SchedulePlan> = {}) => {
      const world = home()
      world.lead(start, delayed(50, policy))
      world.lead(slot(1), delayed(50, policy))
      world.lead(slot(1) + 10, delayed(jitterSeconds, { ...policy, ...change }))
      return world
    }

    it('comes at the end of the new delay', () => {
      const world = edited(40)
      world.lead(slot(1) + 37, delayed(40, policy))
      expect(world.ledger).toMatchObject({ dispatched: 0 })
      world.lead(slot(1) + 38, delayed(40, policy))
      expect(world.ledger).toMatchObject({ dispatched: 1, lastDispatched: { slot: slot(1), dueAt: slot(1) + 38 }, missed: {} })
    })

    it.each([0, 59])('is missed if it was due before the edit by the new delay, of %i s at most', (jitterSeconds) => {
      const world = edited(jitterSeconds)
      expect(world.placed).not.toContain(slot(1))
      world.lead(due, delayed(jitterSeconds, policy))
      expect(world.ledger).toMatchObject({ dispatched: 0, missed: { ScheduleChanged: { count: 1, lastSlot: slot(1) } } })
      expect(Object.keys(world.ledger?.missed ?? {})).toEqual(['ScheduleChanged'])
    })

    it('is missed if the new timing does not have its slot', () => {
      const world = edited(0, { timing: { everySeconds: minute, offsetSeconds: 30, jitterSeconds: 20 } })
      expect(world.ledger).toMatchObject({ dispatched: 0, missed: { ScheduleChanged: { count: 1, lastSlot: slot(1) } } })
    })

    it('comes if a suspension ends before', () => {
      const world = edited(50, { suspended: true })
      expect(world.placed).not.toContain(slot(1))
      world.lead(slot(1) + 20, delayed(50, policy))
      world.lead(due, delayed(50, policy))
      expect(world.ledger).toMatchObject({ dispatched: 1, missed: {} })
    })

    it('is missed if a suspension ends after', () => {
      const world = edited(50, { suspended: true })
      world.lead(due + 1, delayed(50, policy))
      expect(world.ledger).toMatchObject({ dispatched: 0, missed: { Suspended: { count: 1, lastSlot: slot(1) } } })
    })

    it('comes from the new template', () => {
      const generation = `b${policy.generation?.slice(1) ?? ''}`
      const world = edited(50, { generation })
      world.lead(due, delayed(50, { ...policy, generation }))
      expect(world.ledger).toMatchObject({ dispatched: 1, missed: {} })
      expect(world.ledger?.active[0]).toMatchObject({ slot: slot(1), generation, dueAt: due })
    })
  })

  it('that has started while it is taken back is dispatched', () => {
    const world = home()
    world.lead(start, delayed(50))
    world.lead(slot(1), delayed(50))
    world.begin(slot(1), due * 1000)
    world.lead(slot(1) + 10, delayed(0))
    expect(world.ledger).toMatchObject({ dispatched: 1, lastDispatched: { slot: slot(1), dueAt: due } })
    expect(world.missed('ScheduleChanged')).toBeUndefined()
  })

  it('is run or missed once, whenever its delay is edited, and never started by an edit', () => {
    const moment = integer({ min: 0, max: 9 * minute })
    const anyEdits = array(
      record({ at: moment, jitterSeconds: integer({ min: 0, max: 59 }), suspended: constantFrom(false, false, true) }),
      {
        maxLength: 6,
      },
    )
    assert(
      property(anyEdits, constantFrom({}, forbid, graph), (all, policy) => {
        const edits = all.toSorted((a, b) => a.at - b.at)
        const world = home()
        let [plan, editedAt] = [delayed(50, policy), start]
        for (let at = start; at <= slot(11); at += 1) {
          for (const { at: second, jitterSeconds, suspended } of edits) {
            if (start + second !== at) continue
            plan = delayed(jitterSeconds, { ...policy, suspended })
            editedAt = at
          }
          if (at === slot(10)) plan = { ...plan, suspended: false }
          const before = new Set(world.placed)
          world.lead(at, plan)
          for (const each of world.placed.filter((placed) => !before.has(placed))) {
            expect(dueAt(plan, each)).toBeGreaterThan(editedAt === start ? 0 : editedAt)
            if (policy !== forbid && !('generation' in policy)) continue
            expect(dueAt(plan, each)).toBe(at)
          }
          for (const { slot: each } of world.ledger?.active ?? [])
            if (world.ledger?.open.every((open) => open.slot !== each)) world.end(each)
        }
        const { dispatched = 0, missed = {} } = world.ledger ?? {}
        const given = Object.values(missed).reduce((sum, { count }) => sum + count, 0)
        const isDue = dueAt(plan, slot(11)) <= slot(11)
        expect(dispatched + given).toBe(isDue ? 11 : 10)
      }),
      { numRuns: 150 },
    )
  })
})
