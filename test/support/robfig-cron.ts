import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { zoneFileOf } from './time-zones.ts'

export type Question = { readonly expression: string; readonly zone: string; readonly after: number; readonly count: number }
export type Answer = { readonly refused?: string; readonly next: readonly number[] }

/**
 * Asks the library that the CronJob controller uses, by a small Go program. Both sides have the same clock changes, of
 * the years from `fromYear` to before `toYear`.
 */
export function askRobfigCron(questions: readonly Question[], fromYear: number, toYear: number): readonly Answer[] {
  const folder = mkdtempSync(join(tmpdir(), 'robfig-cron-'))
  try {
    const zones = join(folder, 'zones')
    for (const zone of new Set(questions.map((each) => each.zone))) {
      mkdirSync(join(zones, dirname(zone)), { recursive: true })
      writeFileSync(join(zones, zone), zoneFileOf(zone, fromYear, toYear))
    }
    const program = join(folder, 'robfig-cron')
    execFileSync(goCommand(), ['build', '-o', program, '.'], {
      cwd: join(import.meta.dirname, 'robfig-cron'),
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const input = questions.map((question) => JSON.stringify(question)).join('\n')
    const output = execFileSync(program, { input, env: { ...process.env, ZONEINFO: zones }, maxBuffer: 2 ** 28, encoding: 'utf8' })
    return output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Go builds the local cluster as well: `make setup` installs it. */
function goCommand(): string {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'go')))
  if (onPath) return 'go'
  const usual = '/usr/local/go/bin/go'
  if (existsSync(usual)) return usual
  throw new Error('Go is missing, which reads the expressions as CronJob does. Next: make setup')
}
