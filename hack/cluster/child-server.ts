/**
 * Servers that live no longer than the test process which started them: the kernel kills them with
 * it, however it ends (PR_SET_PDEATHSIG through setpriv).
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

export type ChildServer = {
  readonly pid: number
  readonly running: boolean
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>
  /** SIGTERM, SIGKILL after `graceMs`, and wait until it is gone. */
  stop(graceMs?: number): Promise<void>
  /** SIGSTOP and SIGCONT: a server that is there but does not answer. */
  freeze(): void
  thaw(): void
}

export function startChildServer(command: string, args: readonly string[], logFile: string, env = process.env): ChildServer {
  const log = openSync(logFile, 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], { stdio: ['ignore', log, log], env })
  closeSync(log)
  child.on('error', () => undefined)
  // A test that forgot to stop it must still be able to end.
  child.unref()
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const running = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null

  async function kill(): Promise<void> {
    if (!running()) return
    child.ref()
    child.kill('SIGKILL')
    await ended
  }

  return {
    pid: child.pid ?? 0,
    get running() {
      return running()
    },
    kill,
    stop: async (graceMs = 5000) => {
      if (!running()) return
      child.ref()
      child.kill('SIGTERM')
      // A frozen server would never see the SIGTERM.
      child.kill('SIGCONT')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(timer)
    },
    freeze: () => {
      child.kill('SIGSTOP')
    },
    thaw: () => {
      child.kill('SIGCONT')
    },
  }
}

/** The end of a log, for the message of an error. */
export async function logTail(file: string, lines = 10): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-lines).join('\n    ')
}
