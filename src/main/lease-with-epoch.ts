import type { Lease } from '../api/index.ts'
import { annotations } from '../contract/index.ts'
import type { LeaseStore } from '../kube/index.ts'
import type { LeasePort, LeaseRecord } from '../runtime/index.ts'

/** The Lease with the epoch in its annotation, written together with the rest in one compare-and-swap. */
export function leaseWithEpoch(lease: LeaseStore): LeasePort {
  const withEpoch = (record: LeaseRecord): LeaseRecord => ({ ...record, epoch: epochOf(record.stored as Lease) })
  const update: LeasePort['update'] = async (record, signal) => {
    const { metadata, ...rest } = record.stored as Lease
    const epoch = { [annotations.epoch]: String(record.epoch ?? 0) }
    const stored = { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, ...epoch } } }
    return withEpoch(await lease.update({ ...record, stored }, signal))
  }
  return {
    async read(signal) {
      const record = await lease.read(signal)
      return record && withEpoch(record)
    },
    // Held by us in between, so that no other process comes before the epoch.
    create: async (record, signal) => update({ ...record, stored: (await lease.create(record, signal)).stored }, signal),
    update,
  }
}

/** An annotation that is not a number counts as none: a leader that begins at 1 is corrected by the brokers. */
function epochOf(lease: Lease): number {
  const value = lease.metadata.annotations?.[annotations.epoch] ?? ''
  return /^\d{1,15}$/u.test(value) ? Number(value) : 0
}
