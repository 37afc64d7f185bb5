import type { PlacedJob, PlacedRef, RunAppend } from '../../src/broker/index.ts'
import { nodeJobId, runName, type OwnerMarker } from '../../src/contract/index.ts'
import { done, proof } from './ledger-home.ts'

export const run = runName('default', 'team', 'x7k2p')
export const token = '1f0c9b2e'
export const runMarker: OwnerMarker = {
  v: 1,
  cluster: 'c1',
  kind: 'TaskExecution',
  namespace: 'team',
  name: 'x7k2p',
  deletionPolicy: 'Delete',
}

export const appendOf = (more: Partial<RunAppend> = {}): RunAppend => ({
  run,
  expectedLength: 0,
  entries: ['{"v":1}'],
  marker: runMarker,
  proof,
  ...more,
})

export const nodeJobOf = (queue: string, node: string, more: Partial<PlacedJob> = {}): PlacedJob => ({
  id: nodeJobId(run, token, node),
  doneQueue: done,
  done: { v: 1, run, token, node },
  queue,
  name: 'report',
  data: { node },
  dueAtMs: 0,
  attempts: 1,
  ...more,
})

export const nodeRefOf = (queue: string, node: string): PlacedRef => ({ id: nodeJobId(run, token, node), doneQueue: done, queue })
