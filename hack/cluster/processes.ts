/**
 * Processes that outlive the command that started them. Each is remembered as pid and start time, so
 * that a pid which the system gave to another process meanwhile is never taken for ours.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type ProcessId = {
  readonly pid: number
  /** Clock ticks since boot, from /proc/PID/stat: together with the pid it is unique until reboot. */
  readonly startedAt: string
}

/** The start time of a running process; undefined when there is none, or only its zombie. */
export function processStart(pid: number): string | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

/** Start time out of a line of /proc/PID/stat. The name in parentheses may hold spaces and parentheses. */
export function parseStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return state === 'Z' || state === 'X' ? undefined : fields[19]
}

export function isAlive(id: ProcessId): boolean {
  return processStart(id.pid) === id.startedAt
}

/** Starts a process in a session of its own, its output appended to a file, and does not wait for it. */
export function startDetached(command: string, args: readonly string[], logFile: string, env: NodeJS.ProcessEnv = process.env): ProcessId {
  const log = openSync(logFile, 'a')
  try {
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], env })
    child.on('error', () => undefined)
    if (child.pid === undefined) throw new Error(`cannot start ${command}`)
    child.unref()
    const startedAt = processStart(child.pid)
    if (startedAt === undefined) throw new Error(`${command} ended at once; see ${logFile}`)
    return { pid: child.pid, startedAt }
  } finally {
    closeSync(log)
  }
}

/** SIGTERM, then SIGKILL for what is still there after `graceMs`. Only ever touches the very processes named. */
export async function stopProcesses(ids: readonly ProcessId[], graceMs: number): Promise<void> {
  signalAll(ids, 'SIGTERM')
  if (await allGone(ids, graceMs)) return
  signalAll(ids, 'SIGKILL')
  if (await allGone(ids, 5000)) return
  const left = ids.filter(isAlive).map((id) => id.pid)
  throw new Error(`processes ${left.join(', ')} do not end`)
}

function signalAll(ids: readonly ProcessId[], signal: NodeJS.Signals): void {
  for (const id of ids) {
    if (!isAlive(id)) continue
    try {
      process.kill(id.pid, signal)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
    }
  }
}

async function allGone(ids: readonly ProcessId[], withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    if (!ids.some(isAlive)) return true
    if (waitedMs >= withinMs) return false
    await sleep(50)
  }
}
