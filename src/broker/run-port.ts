import type { CountIncrement, OwnerMarker, SubjectKind } from '../contract/index.ts'
import type { DispatchProof } from './ledger-port.ts'

/** A part of a run's decision log: entries are opaque here. */
export type StoredRun = {
  /** From the index that was asked for on, as many as fit into one reply. */
  readonly entries: readonly string[]
  /** Of the whole log; 0: there is none. */
  readonly length: number
  /** Who wrote it last; undefined: nobody, or nobody that is understood here. */
  readonly marker: OwnerMarker | undefined
  readonly brokerTimeMs: number
}

export type RunAppend = {
  /** `runName(installation, namespace, name)`. */
  readonly run: string
  /** The length of the log that the writer has seen; 0: there is none yet. */
  readonly expectedLength: number
  readonly entries: readonly string[]
  /** Stored beside it, under the installation of the run's name. */
  readonly marker: OwnerMarker
  readonly proof: DispatchProof
  /** Ends that these entries record, counted in the same moment, in the namespace of the marker. */
  readonly counts?: readonly CountIncrement[]
}

/** `Conflict`: the log has another length. `Fenced`: the proof does not hold. Only `Written` changed anything. */
export type RunAnswer = {
  readonly outcome: 'Written' | 'Conflict' | 'Fenced'
  /** Of the log as it is now. */
  readonly length: number
  readonly brokerTimeMs: number
}

/** A stretch of whole minutes since 1970, both included, on the broker's clock; at most the last 26 hours are there. */
export type CountRequest = {
  readonly namespace: string
  readonly subjectKind: SubjectKind
  readonly subject: string
  readonly fromMinute: number
  readonly toMinute: number
}

export type Counts = { readonly succeeded: number; readonly failed: number; readonly missed: number }

/** What runs need from a broker besides placing jobs and reading their ends. Errors as those of `Broker`. */
export type BrokerRuns = {
  /** From that index on; beyond the end: nothing but its length. */
  readRun(run: string, from: number): Promise<StoredRun>
  appendRun(append: RunAppend): Promise<RunAnswer>
  /** Log and marker. */
  deleteRun(run: string, expectedLength: number, proof: DispatchProof): Promise<RunAnswer>
  /** In the order given; what was never counted is 0. One round trip. */
  readCounts(
    installation: string,
    requests: readonly CountRequest[],
  ): Promise<{ readonly counts: readonly Counts[]; readonly brokerTimeMs: number }>
}
