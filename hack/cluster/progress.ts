/**
 * What a person sees while set-up works: on a terminal one line a running step with a bar and the
 * elapsed time, redrawn in place; anywhere else plain lines, with a sign of life now and then.
 * Steps may overlap. The bar follows reported fractions where a step knows them, and else the
 * seconds that the step is expected to take, which it approaches but never claims to have reached.
 */

export type ProgressOutput = {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export type StepOptions = {
  readonly expectedSeconds?: number
}

/** What a running step may say about itself. */
export type StepReport = {
  /** 0..1; overrides the estimate from the expected seconds. */
  fraction(value: number): void
  /** A few words on what is being done right now. */
  note(text: string): void
}

export type Progress = {
  step<T>(label: string, options: StepOptions, work: (report: StepReport) => Promise<T>): Promise<T>
  /** A line of its own, above the running steps. */
  line(text: string): void
}

type Running = {
  readonly label: string
  readonly startedAtMs: number
  readonly expectedMs: number | undefined
  fraction: number | undefined
  note: string
  saidAtMs: number
}

const redrawMs = 120
const signOfLifeMs = 30_000
const barWidth = 24

export function createProgress(output: ProgressOutput = process.stderr, now: () => number = Date.now): Progress {
  const running = new Set<Running>()
  const terminal = output.isTTY === true
  let drawnLines = 0
  let timer: NodeJS.Timeout | undefined

  function erase(): void {
    if (drawnLines > 0) output.write(`\u001b[${drawnLines}A\u001b[0J`)
    drawnLines = 0
  }

  function draw(): void {
    if (!terminal) return
    erase()
    for (const entry of running) output.write(`${renderStep(view(entry, now()), output.columns ?? 100)}\n`)
    drawnLines = running.size
  }

  function tick(): void {
    if (terminal) return draw()
    for (const entry of running) {
      if (now() - entry.saidAtMs < signOfLifeMs) continue
      entry.saidAtMs = now()
      const note = entry.note === '' ? '' : `, ${entry.note}`
      output.write(`    ${entry.label}: ${formatElapsed(now() - entry.startedAtMs)}${about(entry.expectedMs)}${note}\n`)
    }
  }

  function line(text: string): void {
    erase()
    output.write(`${text}\n`)
    draw()
  }

  async function step<T>(label: string, options: StepOptions, work: (report: StepReport) => Promise<T>): Promise<T> {
    const startedAtMs = now()
    const expectedMs = options.expectedSeconds === undefined ? undefined : options.expectedSeconds * 1000
    const entry: Running = { label, startedAtMs, expectedMs, fraction: undefined, note: '', saidAtMs: startedAtMs }
    running.add(entry)
    timer ??= setInterval(tick, terminal ? redrawMs : 1000)
    if (terminal) draw()
    else output.write(`  > ${label}${about(expectedMs)}\n`)
    let outcome = 'failed'
    try {
      const result = await work({
        fraction: (value) => {
          entry.fraction = value
        },
        note: (text) => {
          entry.note = text
        },
      })
      outcome = 'done'
      return result
    } finally {
      running.delete(entry)
      if (running.size === 0) {
        clearInterval(timer)
        timer = undefined
      }
      const sign = outcome === 'done' ? '✓' : '✗'
      line(`  ${sign} ${label} (${formatElapsed(now() - startedAtMs)})`)
    }
  }

  return { step, line }
}

type StepView = { readonly label: string; readonly note: string; readonly elapsedMs: number; readonly fraction: number | undefined }

function view(step: Running, nowMs: number): StepView {
  const elapsedMs = nowMs - step.startedAtMs
  const fraction = step.fraction ?? (step.expectedMs === undefined ? undefined : expectedFraction(elapsedMs, step.expectedMs))
  return { label: step.label, note: step.note, elapsedMs, fraction }
}

/** One line, never wider than the terminal, since a wrapped line could not be redrawn in place. */
export function renderStep(step: StepView, columns: number): string {
  const bar =
    step.fraction === undefined ? '' : ` ${renderBar(step.fraction, barWidth)} ${String(Math.floor(step.fraction * 100)).padStart(2)}%`
  const text = `  · ${step.label}${bar} ${formatElapsed(step.elapsedMs)}${step.note === '' ? '' : `  ${step.note}`}`
  return text.length < columns ? text : `${text.slice(0, Math.max(1, columns - 2))}…`
}

export function renderBar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width)
  return `[${'█'.repeat(filled)}${'·'.repeat(width - filled)}]`
}

/**
 * The share done after `elapsedMs` when `expectedMs` were expected: linear to 90 % and then ever
 * slower, so that a step that takes longer than expected still moves and never shows 100 %.
 */
export function expectedFraction(elapsedMs: number, expectedMs: number): number {
  const linear = (0.9 * elapsedMs) / expectedMs
  if (linear <= 0.9) return Math.max(0, linear)
  return 0.9 + 0.09 * (1 - Math.exp(-(elapsedMs - expectedMs) / expectedMs))
}

export function formatElapsed(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`
}

function about(expectedMs: number | undefined): string {
  return expectedMs === undefined ? '' : ` (takes about ${formatElapsed(expectedMs)})`
}
