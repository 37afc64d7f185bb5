import type { CountIncrement, DoneData, OwnerMarker, Slot, SubjectKind } from '../contract/index.ts'

/** Proof of the dispatch lease. The broker refuses it when another holder has the lease, or a higher epoch was seen. */
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
  /**
   * `Renew`: the claimant held it at its last claim. Where there is no record any more it is `Behind`: the namespace has left the broker, or
   * the broker has lost its data.
   * `Borrow`: for a moment, where no TaskBroker asks for it. It is `HeldByOther` while anybody holds it, the claimant itself included, which may
   * hold it through another address of the same server, and must not lose it when the moment is over.
   * `Close`: the same, to close the namespace. The next claim, by whoever has a TaskBroker there again, ends the closing, although it has the
   * same proof.
   */
  readonly mode?: 'Renew' | 'Borrow' | 'Close' | undefined
  /** UID of kube-system, for the owner marker. */
  readonly cluster: string
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
  /** Jobs that are placed in the same moment, as `placeJobs` does; if they cannot be placed, nothing is written. */
  readonly places?: { readonly jobs: readonly PlacedJob[]; readonly brokerTimeMs: number } | undefined
  /** Undefined: the schedule is in no concurrency group, and was in none. */
  readonly group?: GroupWrite | undefined
}

/** What a write of a ledger says about its concurrency group. */
export type GroupWrite = {
  /** Undefined: the schedule leaves its group. */
  readonly name: string | undefined
  /** The active runs that the ledger has with this write. */
  readonly runs: number
  /** Set if the write starts runs: it is refused if the schedules of the group then have more than so many active runs in all. */
  readonly limit?: number | undefined
  /** Ledgers that no longer count, because their schedules are gone. */
  readonly gone?: readonly string[] | undefined
}

/**
 * `Conflict`: another revision is there, see `stored`. `Fenced`: the proof does not hold. `GroupFull`: the concurrency group has no room for the
 * runs that the write starts. Only `Written` changed anything.
 */
export type LedgerAnswer = {
  readonly outcome: 'Written' | 'Conflict' | 'Fenced' | 'TooEarly' | 'TooLate' | 'GroupFull'
  /** The stored ledger after the call; undefined: there is none. */
  readonly stored: StoredLedger | undefined
  readonly brokerTimeMs: number
  /** With `GroupFull`: the active runs of the other schedules in the group, by the names of their ledgers. */
  readonly groupRuns?: ReadonlyMap<string, number>
}

/** What a portion of a long work came to; a portion holds up other clients of the server for a millisecond or two. */
export type Portion = { readonly outcome: 'Done' | 'More' | 'Fenced'; readonly next?: string }

/** The dispatch lease, and the ledgers of schedules. Errors as those of `Broker`. */
export type BrokerLedgers = {
  /** One answer per claim, in order; at most 50 per round trip to the server. */
  claimDispatch(claims: readonly DispatchClaim[]): Promise<readonly DispatchAnswer[]>
  /** Gives a claim back, so that another holder need not wait. */
  releaseDispatch(proof: DispatchProof): Promise<void>
  /**
   * The namespace leaves the broker: removes a portion of its dispatch lease and done queue, its counts, and the ended jobs that Taskmill placed
   * for it, with the bookkeeping of queues that are empty then and to which nobody else has ever added a job. A job that still runs, or waits
   * to run again, stays, and nobody waits for its end. Only for a namespace without any ledger, log or settings of a queue, and `Fenced` unless
   * the lease was claimed for this. `More`: call again with `next`, if there is one; without it, or after a failure, what is left is found anew.
   */
  closeNamespace(proof: DispatchProof, next?: string): Promise<Portion>
  /**
   * Removes a portion of what is left of queues in which nothing was placed for eight days: jobs that ended more than a week ago, and then the
   * bookkeeping as above. `More` as above.
   */
  forgetUnusedQueues(proof: DispatchProof, brokerTimeMs: number, next?: string): Promise<Portion>
  /** In the order given; undefined for those that do not exist. One round trip. */
  readLedgers(
    ledgers: readonly string[],
  ): Promise<{ readonly stored: readonly (StoredLedger | undefined)[]; readonly brokerTimeMs: number }>
  writeLedger(write: LedgerWrite): Promise<LedgerAnswer>
  /** The markers of an installation, a page at a time; `cursor` '0' begins and ends. `unreadable`: names whose markers a later version wrote. */
  listOwners(
    installation: string,
    cursor: string,
  ): Promise<{ readonly owners: ReadonlyMap<string, OwnerMarker>; readonly unreadable: readonly string[]; readonly cursor: string }>
}

/** A part of a run's decision log: entries are opaque here. */
export type StoredRun = {
  /** From the index that was asked for on, as many as fit into one reply. */
  readonly entries: readonly string[]
  /** Of the whole log; 0: there is none. */
  readonly length: number
  /** Of the last writer; undefined: there is none, or it is of a later version. */
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

/** The decision logs of runs, and the counts of ends. Errors as those of `Broker`. */
export type BrokerRuns = {
  /** From that index on; beyond the end: nothing but its length. */
  readRun(run: string, from: number): Promise<StoredRun>
  appendRun(append: RunAppend): Promise<RunAnswer>
  /** Replaces the whole log by one entry. */
  archiveRun(archive: Omit<RunAppend, 'entries' | 'counts'> & { readonly entry: string }): Promise<RunAnswer>
  /** Log and marker. */
  deleteRun(run: string, expectedLength: number, proof: DispatchProof): Promise<RunAnswer>
  /** Returns the counts in the order given; 0 where nothing was counted. One round trip. */
  readCounts(
    installation: string,
    requests: readonly CountRequest[],
  ): Promise<{ readonly counts: readonly Counts[]; readonly brokerTimeMs: number }>
}

/** A tracked job. It is placed together with its done job, by one script. Placing a job again does nothing. */
export type PlacedJob = {
  /** `slotJobId` or `nodeJobId`; the same in both queues. */
  readonly id: string
  readonly doneQueue: string
  /** Whose end it tells. */
  readonly done: DoneData
  readonly queue: string
  /** Task type. */
  readonly name: string
  readonly data: unknown
  /** Not before this moment (Unix ms); in the past: at once. */
  readonly dueAtMs: number
  /** Attempts in all, and the first delay of the exponential backoff. */
  readonly attempts: number
  readonly backoffMs?: number | undefined
  /** BullMQ's number: 0 or absent is plain; else 1 (first) to 100. */
  readonly bullPriority?: number | undefined
}

export type PlacedRef = { readonly id: string; readonly doneQueue: string; readonly queue: string }

/** The end of a tracked job, until it is acknowledged. */
export type EndedJob = EndedSlot | EndedNode

type End = {
  readonly id: string
  readonly doneQueue: string
  /** The ledger or run that it belongs to. */
  readonly owner: string
  /** `Removed`: a user removed the job (or its queue) before it ended; nothing is known about it. */
  readonly outcome: 'Succeeded' | 'Failed' | 'Removed'
  /** Error message of a failure, at most 1,024 characters. */
  readonly message?: string
  /** From the job itself, where it is still kept. */
  readonly attemptsMade?: number
  readonly attempts?: number
  readonly worker?: string
  readonly startedAtMs?: number
  readonly finishedAtMs?: number
}

export type EndedSlot = End & {
  readonly kind: 'Slot'
  readonly slot: Slot
  /** The handler's return value as JSON; absent after a failure, when there is none, and when it is larger than 256 bytes. */
  readonly result?: string
}

export type EndedNode = End & {
  readonly kind: 'Node'
  readonly token: string
  readonly node: string
  /** The handler's return value; absent after a failure, and when it is larger than 16,384 bytes as JSON. */
  readonly result?: unknown
  /** How many bytes the result has, when it is too large to be here. */
  readonly resultBytes?: number
}

export type CancelAnswer = 'Removed' | 'Running' | 'Ended' | 'Absent' | 'Fenced'

export type PlacedState = {
  readonly id: string
  /**
   * `Waiting`: ready, delayed, prioritized or between two attempts. `Ended`: its end is in the done queue. `Absent`: there is nothing, or its end
   * was acknowledged.
   */
  readonly state: 'Waiting' | 'Active' | 'Ended' | 'Absent'
  /** When its last attempt began (Unix ms); absent: none has. */
  readonly startedAtMs?: number
  /** Its queue is paused: no worker takes its jobs. */
  readonly isPaused?: true
}

export type EndedRef = { readonly id: string; readonly doneQueue: string; readonly orphanOf?: string }

/** Jobs whose end is tracked, by a flow with a job in a done queue. Errors as those of `Broker`. */
export type BrokerJobs = {
  /**
   * Places all jobs or none, by one script that also checks the proof: a frozen former leader cannot place anything. A job that has a done
   * job, or that has ended, is left alone whatever state it is in. A job that waits without a done job gets one.
   */
  placeJobs(jobs: readonly PlacedJob[], brokerTimeMs: number, proof: DispatchProof): Promise<'Placed' | 'Fenced'>
  /**
   * Takes a placed job back. `Removed`: it will not run, and neither it nor its done job is there any more. `Started`: it runs, or has run,
   * or another client removed it: its end is, or will be, in the done queue. `Absent`: there is neither the job nor its done job. `Fenced`:
   * the proof does not hold, nothing was done.
   */
  removePlaced(ref: PlacedRef, proof: DispatchProof): Promise<'Removed' | 'Started' | 'Absent' | 'Fenced'>
  /**
   * Takes a job out of its queue unless it runs right now, also between two attempts. `Removed`: neither it nor its done job is there any
   * more. `Running`: it continues, and its end will be in the done queue. `Ended`: its end is there. `Absent`: there is nothing, or its
   * end was acknowledged. `Fenced` as above.
   */
  cancelPlaced(ref: PlacedRef, proof: DispatchProof): Promise<CancelAnswer>
  lookAtPlaced(refs: readonly PlacedRef[]): Promise<readonly PlacedState[]>
  /** The ends that wait in these done queues, oldest first, at most 100 of each; `next` when there are more: the `from` of the next call. */
  readEnded(doneQueues: readonly string[], from?: number): Promise<{ readonly ended: readonly EndedJob[]; readonly next?: number }>
  /**
   * Removes done jobs whose ends are recorded; again, or of a job that has not ended, does nothing. With the proof of who recorded them: what
   * a frozen former leader takes for recorded may not be. With `orphanOf`, the end of that ledger or run is not recorded, and goes only if
   * the broker has neither: nobody waits for it.
   */
  acknowledgeEnded(refs: readonly EndedRef[], proof: DispatchProof): Promise<'Done' | 'Fenced'>
}
