/** Runs the commands of the system; a failure carries the command line and the end of its output. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'

export type RunOptions = {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly signal?: AbortSignal
  /** Everything the command prints goes there as well. */
  readonly logFile?: string
  /** Called with each line that it prints. */
  readonly onLine?: (line: string) => void
}

export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs to the end and throws unless the exit code is 0. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await tryRun(command, args, options)
  if (result.code === 0) return result.stdout
  const said = `${result.stderr}\n${result.stdout}`.trim().split('\n').slice(-15).join('\n    ')
  const where = options.logFile === undefined ? '' : `\n    (all of it: ${options.logFile})`
  throw new Error(`${[command, ...args].join(' ').slice(0, 300)} failed with code ${result.code}:\n    ${said}${where}`)
}

/** Runs to the end and returns the exit code; 127 when the command does not exist. */
export async function tryRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    log?.write(text)
    sayLines(text, options.onLine)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    log?.write(text)
    sayLines(text, options.onLine)
  })
  child.on('error', (cause: NodeJS.ErrnoException) => {
    log?.end()
    if (cause.code === 'ENOENT') resolve({ code: 127, stdout, stderr: `${command}: not found` })
    else reject(new Error(`cannot run ${command}`, { cause }))
  })
  child.on('close', (code) => {
    log?.end()
    resolve({ code: code ?? 1, stdout, stderr })
  })
  // A command that does not read its input closes the pipe early; its exit code says the rest.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  return promise
}

function sayLines(text: string, onLine: RunOptions['onLine']): void {
  if (onLine === undefined) return
  for (const line of text.split('\n')) if (line.trim() !== '') onLine(line.trim())
}
