import { finalStateOf, type KubeObject, taskExecutions, type TaskExecution } from '../../api/index.ts'
import { classifyRefusal, describeRefusal, hasCode, type RefusalKind } from '../../errors/index.ts'
import type { Applied, KubeClient } from '../../kube/index.ts'
import type { NewExecution } from '../../plans/index.ts'

/** A TaskExecution by its name, and whose it is: `isOurs` tells it from another one that has the name. */
export type ExecutionRef = {
  readonly name: string
  readonly of: 'slot' | 'node'
  readonly isOurs: (object: TaskExecution) => boolean
}

/** What became of a request; refused for good, or for now. `isRefused`: the API server refuses it as things are; otherwise it failed. */
export type ExecutionCreation =
  | { readonly kind: 'There' }
  | { readonly kind: 'Refused'; readonly message: string }
  | { readonly kind: 'Postponed'; readonly message: string; readonly isRefused: boolean }

export type ExecutionsDeps = {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'apply' | 'delete'>
  readonly namespace: string
  /** Of what is created, and of its cancellation: what else is applied leaves `spec.desiredState` as it is. */
  readonly fieldManagers: { readonly create: string; readonly cancel: string }
  readonly reachPoint: (point: string) => void
}

type Call = { readonly signal: AbortSignal }

export type Executions = {
  /** Asks the API server; undefined: it has none of ours. */
  read(ref: ExecutionRef, call: Call): Promise<TaskExecution | undefined>
  create(ref: ExecutionRef, execution: NewExecution, call: Call): Promise<ExecutionCreation>
  /** Deletes it, unless it has begun. */
  takeBack(ref: ExecutionRef, call: Call): Promise<'Removed' | 'Started' | 'Absent'>
  /** Deletes it if it has not begun; otherwise it is told to end. */
  cancel(ref: ExecutionRef, call: Call): Promise<'Removed' | 'Cancelled' | 'Ended' | 'Absent'>
}

/** Answers that are nobody's refusal: the API server failed or has too much to do, or the namespace is being deleted. */
const passing: ReadonlySet<RefusalKind> = new Set(['Unavailable', 'Overloaded', 'NamespaceGone'])
/** If a run's status is written while the run is being deleted, the deletion is tried again so often. */
const maxConflicts = 5

export function createExecutions({ client, namespace, fieldManagers, reachPoint }: ExecutionsDeps): Executions {
  async function read({ name, isOurs }: ExecutionRef, { signal }: Call): Promise<TaskExecution | undefined> {
    try {
      const object = await client.get(taskExecutions, namespace, name, { signal })
      return isOurs(object) ? object : undefined
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return undefined
      throw error
    }
  }

  async function create(ref: ExecutionRef, execution: NewExecution, { signal }: Call): Promise<ExecutionCreation> {
    const { name, of, isOurs } = ref
    try {
      await client.create<TaskExecution>(taskExecutions, execution, { fieldManager: fieldManagers.create, signal })
      return { kind: 'There' }
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_ALREADY_EXISTS')) {
        const there = await read({ ...ref, isOurs: () => true }, { signal })
        if (there === undefined) throw error
        if (isOurs(there)) return { kind: 'There' }
        return { kind: 'Refused', message: `tex/${name} exists, but does not belong to this ${of}. Next: delete it` }
      }
      signal.throwIfAborted()
      const refusal = classifyRefusal(error)
      if (refusal.kind === 'Unexpected') throw error
      const message = describeRefusal(refusal)
      if (refusal.retry === 'OnEdit') return { kind: 'Refused', message }
      return { kind: 'Postponed', message, isRefused: !passing.has(refusal.kind) }
    }
  }

  async function takeBack(ref: ExecutionRef, { signal }: Call): Promise<'Removed' | 'Started' | 'Absent'> {
    for (let conflicts = 0; ; conflicts++) {
      const there = await read(ref, { signal })
      if (there === undefined || isGoing(there)) return 'Absent'
      if (hasBegun(there)) return 'Started'
      const { uid = '', resourceVersion = '' } = there.metadata
      reachPoint('before delete execution')
      try {
        await client.delete(taskExecutions, namespace, ref.name, { signal, preconditions: { uid, resourceVersion } })
        reachPoint('after delete execution')
        return 'Removed'
      } catch (error) {
        if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return 'Absent'
        if (!hasCode(error, 'TM_KUBE_CONFLICT') || conflicts === maxConflicts) throw error
      }
    }
  }

  async function cancel(ref: ExecutionRef, { signal }: Call): Promise<'Removed' | 'Cancelled' | 'Ended' | 'Absent'> {
    const there = await read(ref, { signal })
    if (there === undefined || isGoing(there)) return 'Absent'
    if (finalStateOf(there) !== undefined) return 'Ended'
    const taken = hasBegun(there) ? 'Started' : await takeBack(ref, { signal })
    if (taken !== 'Started') return taken
    const { name, uid = '' } = there.metadata
    reachPoint('before cancel execution')
    try {
      const body: Applied<KubeObject & Pick<TaskExecution, 'spec'>> = {
        metadata: { namespace, name, uid },
        spec: { desiredState: 'Cancelled' },
      }
      await client.apply(taskExecutions, body, { fieldManager: fieldManagers.cancel, force: true, signal })
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND', 'TM_KUBE_CONFLICT')) return 'Absent'
      throw error
    }
    reachPoint('after cancel execution')
    return 'Cancelled'
  }

  return { read, create, takeBack, cancel }
}

export function isGoing({ metadata }: TaskExecution): boolean {
  return metadata.deletionTimestamp !== undefined
}

export function hasBegun({ status }: TaskExecution): boolean {
  return status?.startTime !== undefined
}
