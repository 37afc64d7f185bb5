import type { Lease, Resource } from '../api/index.ts'
import { hasCode } from '../errors/index.ts'
import type { KubeClient } from './client.ts'
import { epochMsOf, microTime } from './notation.ts'

/** The fields of a Lease that matter for election, and the object they were read from, which an update is based on. */
export type StoredLease = {
  /** Empty if no process holds the Lease. */
  readonly holder: string
  readonly durationMs: number
  readonly acquiredAtMs?: number | undefined
  readonly renewedAtMs?: number | undefined
  readonly transitions: number
  readonly stored?: unknown
}

/** The Lease as the elector of `runtime` needs it; `createLease` returns it. */
export type LeaseStore = {
  /** Resolves with undefined if the Lease does not exist. */
  read(signal: AbortSignal): Promise<StoredLease | undefined>
  create(record: StoredLease, signal: AbortSignal): Promise<StoredLease>
  update(record: StoredLease, signal: AbortSignal): Promise<StoredLease>
}

const leases: Resource<Lease> = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', namespaced: true }
const fieldManager = 'taskmill-elector'

/** Missing fields mean a Lease that was never held. */
function recordOf(lease: Lease): StoredLease {
  const { holderIdentity = '', leaseDurationSeconds = 0, acquireTime, renewTime, leaseTransitions = 0 } = lease.spec ?? {}
  return {
    holder: holderIdentity,
    durationMs: leaseDurationSeconds * 1000,
    acquiredAtMs: epochMsOf(acquireTime),
    renewedAtMs: epochMsOf(renewTime),
    transitions: leaseTransitions,
    stored: lease,
  }
}

function specOf(record: StoredLease): NonNullable<Lease['spec']> {
  return {
    holderIdentity: record.holder,
    // The API server requires at least 1.
    leaseDurationSeconds: Math.max(1, Math.round(record.durationMs / 1000)),
    leaseTransitions: record.transitions,
    ...(record.acquiredAtMs === undefined ? {} : { acquireTime: microTime(record.acquiredAtMs) }),
    ...(record.renewedAtMs === undefined ? {} : { renewTime: microTime(record.renewedAtMs) }),
  }
}

/**
 * Returns access to one Lease object, for election. An update is a compare-and-swap on the resourceVersion of the
 * object that the record was read from, so that two processes cannot both take the Lease. It keeps what others wrote
 * into the object: annotations, and fields of newer versions.
 */
export function createLease(
  client: Pick<KubeClient, 'get' | 'create' | 'update'>,
  place: { readonly namespace: string; readonly name: string },
): LeaseStore {
  const { namespace, name } = place
  return {
    async read(signal) {
      try {
        return recordOf(await client.get(leases, namespace, name, { signal }))
      } catch (error) {
        if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
        throw error
      }
    },
    async create(record, signal) {
      return recordOf(await client.create(leases, { metadata: { namespace, name }, spec: specOf(record) }, { fieldManager, signal }))
    },
    async update(record, signal) {
      const stored = record.stored as Lease
      return recordOf(await client.update(leases, { ...stored, spec: { ...stored.spec, ...specOf(record) } }, { fieldManager, signal }))
    },
  }
}
