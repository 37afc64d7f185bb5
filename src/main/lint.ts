/** `taskmill lint`: provides the linter with arguments, files, standard input and output. */
import { normalize } from 'node:path'
import { parseArgs } from 'node:util'
import { countOption, errorMessage, UsageError } from '../errors/index.ts'
import { countFindings, type Format, formats, lint, renderReport, summarizeReport } from '../lint/index.ts'
import { type ManifestFiles, readManifests } from './manifest-files.ts'

const usage = `taskmill lint [FILE | FOLDER | -]…

  Checks manifests without a cluster. A folder means all its *.yaml, *.yml and *.json files, also below it; - is standard input.
  Default: the current folder.

  --format text|github|json  text (default), GitHub workflow annotations, or one JSON document
  --complete                 these are all manifests of the cluster: a reference to a missing object is an error
  --strict                   warnings count as errors
  --next N                   list the next N slots of each TaskSchedule (at most 1000), with what clock changes do to them
`

export type LintMain = {
  /** Arguments after the subcommand. */
  readonly argv: readonly string[]
  readonly write: { out(text: string): void; err(text: string): void }
  readonly isColoured: boolean
  /** The present time (Unix ms). */
  readonly nowMs: number
}

/** Returns the exit code: 0 nothing to correct, 1 errors (or warnings, with --strict), 2 wrong usage. */
export function lintMain({ argv, write, isColoured, nowMs }: LintMain): number {
  try {
    const { paths, format, isComplete, isStrict, isHelp, next } = parse(argv)
    if (isHelp) {
      write.out(usage)
      return 0
    }
    const found = paths.map(filesAt)
    const sources = found.flatMap((each) => each.sources)
    const report = lint(onceEach(sources), {
      isComplete,
      nowMs,
      passedOver: found.flatMap(({ passedOver }) => passedOver),
      next: next === undefined ? undefined : { count: next, afterMs: nowMs },
    })
    write.out(renderReport(report, format, { isColoured }))
    if (format !== 'json') write.err(summarizeReport(report))
    const { errors, warnings } = countFindings(report)
    return errors > 0 || (isStrict && warnings > 0) ? 1 : 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    write.err(`taskmill lint: ${error.message}\n\n${usage}`)
    return 2
  }
}

type Call = {
  readonly paths: readonly string[]
  readonly format: Format
  readonly isComplete: boolean
  readonly isStrict: boolean
  readonly isHelp: boolean
  /** How many slots of each schedule to list. */
  readonly next: number | undefined
}

function parse(argv: readonly string[]): Call {
  const { values, positionals } = parsed(argv)
  const format = formats.find((each) => each === values.format)
  if (format === undefined) throw new UsageError(`unknown format ${JSON.stringify(values.format)}; write one of ${formats.join(', ')}`)
  const paths = [...new Set(positionals.length === 0 ? ['.'] : positionals.map((path) => (path === '-' ? path : normalize(path))))]
  return {
    paths,
    format,
    isComplete: values.complete,
    isStrict: values.strict,
    isHelp: values.help,
    next: countOption('--next', values.next, mostNext),
  }
}

const mostNext = 1_000

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        format: { type: 'string', default: 'text' },
        complete: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
        next: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(errorMessage(error))
  }
}

function filesAt(path: string): ManifestFiles {
  try {
    return readManifests(path)
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${errorMessage(error)}`)
  }
}

/** A file that is named beside its folder is read once, as a named one. */
function onceEach(sources: ManifestFiles['sources']): ManifestFiles['sources'] {
  const byPath = new Map<string, ManifestFiles['sources'][number]>()
  for (const source of sources) if (source.isNamed || !byPath.has(source.path)) byPath.set(source.path, source)
  return [...byPath.values()]
}
