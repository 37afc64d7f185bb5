/** A lease as stored. Its times are for people who read it: the elector trusts only what it observes itself. */
export type LeaseRecord = {
  /** The identity of who holds it; empty when nobody does. */
  readonly holder: string
  /** How long after a renewal the others wait. */
  readonly durationMs: number
  readonly acquiredAtMs?: number | undefined
  readonly renewedAtMs?: number | undefined
  /** How often it changed hands. */
  readonly transitions: number
  /** The number of the term; every leader's is higher than those before. Without one there was no leader yet. */
  readonly epoch?: number | undefined
  /** What the port needs to recognise the version that an update is based on; handed back untouched. */
  readonly stored?: unknown
}

/** Where the lease is kept. All calls end when the signal aborts. */
export type LeasePort = {
  /** `undefined` when there is none. */
  read(signal: AbortSignal): Promise<LeaseRecord | undefined>
  /** TM_KUBE_ALREADY_EXISTS when somebody was faster. */
  create(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord>
  /** Succeeds only if nothing changed since `record.stored` was read or written: else TM_KUBE_CONFLICT, or TM_KUBE_NOT_FOUND. */
  update(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRecord>
}
