import type { CountIncrement, OwnerMarker } from '../contract/index.ts'

/** Proof of who is allowed to write: refused when somebody else dispatches, or a higher epoch was seen. */
export type DispatchProof = {
  /** `dispatcherName(installation, namespace)`. */
  readonly dispatcher: string
  readonly epoch: number
  /** Cluster and Lease: stays the same over restarts and elections of one operator, differs between clusters. */
  readonly holder: string
}

export type DispatchClaim = DispatchProof & {
  /** The process: tells two leaders apart that came to the same epoch because their Lease was deleted. */
  readonly by: string
  /** Take over from another holder that was not heard of for this long. */
  readonly patienceMs: number
}

export type DispatchAnswer =
  | { readonly kind: 'Held' }
  /** Another cluster dispatches; heard of less than `patienceMs` ago. */
  | { readonly kind: 'HeldByOther'; readonly holder: string }
  /** The broker has seen an epoch that is not lower: try again with a higher one. */
  | { readonly kind: 'Behind'; readonly epoch: number }

/** A ledger as it is stored: opaque here. */
export type StoredLedger = { readonly revision: number; readonly document: string }

export type LedgerWrite = {
  /** `ledgerName(installation, namespace, name)`. */
  readonly ledger: string
  /** The revision that the writer has seen; 0: there is none yet. */
  readonly expectedRevision: number
  /** Undefined deletes ledger and marker. */
  readonly document: string | undefined
  /** Stored beside it, under the installation of the ledger's name. */
  readonly marker: OwnerMarker
  readonly proof: DispatchProof
  /** Written only while the broker's clock says at least this, and less than that (Unix ms). */
  readonly notBeforeMs?: number | undefined
  readonly beforeMs?: number | undefined
  /** Ends that the write records, counted in the same moment, in the namespace of the marker. */
  readonly counts?: readonly CountIncrement[]
}

/** `Conflict`: another revision is there, see `stored`. `Fenced`: the proof does not hold. Only `Written` changed anything. */
export type LedgerAnswer = {
  readonly outcome: 'Written' | 'Conflict' | 'Fenced' | 'TooEarly' | 'TooLate'
  /** What is stored now; undefined: nothing. */
  readonly stored: StoredLedger | undefined
  readonly brokerTimeMs: number
}

/** What the dispatch of slots needs from a broker. Errors as those of `Broker`. */
export type BrokerLedgers = {
  /** One answer per claim, in order; at most 50 per round trip to the server. */
  claimDispatch(claims: readonly DispatchClaim[]): Promise<readonly DispatchAnswer[]>
  /** Gives a claim back, so that another holder need not wait. */
  releaseDispatch(proof: DispatchProof): Promise<void>
  /** In the order given; undefined for those that do not exist. One round trip. */
  readLedgers(
    ledgers: readonly string[],
  ): Promise<{ readonly stored: readonly (StoredLedger | undefined)[]; readonly brokerTimeMs: number }>
  writeLedger(write: LedgerWrite): Promise<LedgerAnswer>
  /** The markers of an installation, a page at a time; `cursor` '0' begins and ends. */
  listOwners(installation: string, cursor: string): Promise<{ readonly owners: ReadonlyMap<string, OwnerMarker>; readonly cursor: string }>
}
