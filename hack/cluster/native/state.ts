/** What the native cluster remembers between commands: its processes and the images on the node. */
import { readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { isAlive } from '../processes.ts'
import type { ProcessId } from '../processes.ts'

export type ClusterState = {
  /** Start times count from boot, so they say nothing after the next one. */
  readonly bootId: string
  readonly hostAddress: string
  readonly processes: Readonly<Record<string, ProcessId>>
  /** Image name → key of the archive it was loaded from. */
  readonly images: Readonly<Record<string, string>>
}

export function currentBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

export async function readState(file: string): Promise<ClusterState | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as ClusterState
  } catch {
    // The file is renamed into place, so the disk is full or another program wrote it: start anew.
    return undefined
  }
}

export async function writeState(file: string, state: ClusterState): Promise<void> {
  await writeFile(`${file}.tmp`, `${JSON.stringify(state, null, 2)}\n`)
  await rename(`${file}.tmp`, file)
}

export function aliveProcesses(state: ClusterState, bootId: string): ProcessId[] {
  return state.bootId === bootId ? Object.values(state.processes).filter(isAlive) : []
}

/** Names of the processes that should run and do not. */
export function deadProcesses(state: ClusterState, bootId: string): string[] {
  return Object.entries(state.processes)
    .filter(([, id]) => state.bootId !== bootId || !isAlive(id))
    .map(([name]) => name)
}
