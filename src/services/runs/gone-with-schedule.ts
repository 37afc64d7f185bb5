import { isQueueGeneration } from '../../scheduling/index.ts'
import type { SlotExecutor } from './slot-executor.ts'

/** For ledgers whose schedule is gone: the objects that its slots started belong to it, and go with it. */
export const goneWithSchedule: SlotExecutor = {
  runs: (generation) => !isQueueGeneration(generation),
  place() {
    throw new TypeError('a sweep places nothing')
  },
  remove: (slots) => Promise.resolve(slots.map(() => 'Absent' as const)),
  look: (slots) => Promise.resolve(slots.map(() => ({ state: 'Absent' as const }))),
  ended: () => [],
  acknowledge: () => Promise.resolve('Done'),
  forget: () => Promise.resolve(),
  subjects: () => [],
}
