/**
 * When the run of a slot is due, if it is delayed by up to `jitterSeconds`. The delay follows from the slot and the name of the schedule, so that
 * every process knows the same one, and a schedule keeps it.
 *
 * Guarantees: a run is due at its slot or later, at most `jitterSeconds` later, and before the next slot. So runs are due in the order of their
 * slots, and at any moment all slots up to it are due, but for the newest at most.
 */
import { type Slot, slotName } from '../contract/index.ts'
import { hashText } from './hash.ts'
import type { SlotSource, Timing } from './timing.ts'

/** What the due moments of a schedule follow from. `seed` is its `namespace/name`. */
export type DueSource = {
  readonly timing: Pick<Timing, 'jitterSeconds'>
  readonly slots: Pick<SlotSource, 'next' | 'between' | 'cutBefore'>
  readonly seed: string
}

/** Returns the moment at which the run of a slot is due. */
export function dueAt({ timing: { jitterSeconds = 0 }, slots, seed }: DueSource, slot: Slot): Slot {
  if (jitterSeconds === 0) return slot
  const room = Math.min(jitterSeconds, (slots.next(slot) ?? slots.cutBefore ?? Infinity) - slot - 1)
  return slot + (hashText(`${seed}/${slotName(slot)}`) % (room + 1))
}

/** Returns up to where the slots are due at a moment: those up to the returned one are, and none after it is. */
export function dueUpTo(source: DueSource, moment: Slot): Slot {
  const { jitterSeconds = 0 } = source.timing
  if (jitterSeconds === 0) return moment
  const [newest] = source.slots.between(moment - jitterSeconds, moment, 1)
  return newest !== undefined && dueAt(source, newest) > moment ? newest - 1 : moment
}

/** Whether `jitterSeconds` can have its effect is looked for from here on, over a week and a day. */
const referenceSlot = Date.UTC(2026, 0) / 1000
const searchedSeconds = 8 * 86_400

/** Returns what is wrong with `jitterSeconds`, and what to write: a delay that no time between two slots has room for. */
export function findJitterFault(slots: SlotSource, jitterSeconds: number): string | undefined {
  const first = slots.next(referenceSlot)
  if (jitterSeconds === 0 || first === undefined) return undefined
  for (let from = first; from <= first + searchedSeconds;) {
    const [newest] = slots.between(from, from + jitterSeconds, 1)
    if (newest === undefined) return undefined
    from = newest
  }
  const gap = (slots.next(first) ?? Infinity) - first
  return `a run is due before the next slot, so it cannot be delayed by ${jitterSeconds} s: the slots are ${gap} s apart; write 0 to ${gap - 1}`
}
