import type { Option } from './arguments.ts'
import type { Command } from './command.ts'

/** What stands behind each option. */
const values: Readonly<Record<Option, string>> = {
  for: 'DURATION',
  because: 'REASON',
  payload: 'JSON|@FILE',
  param: 'KEY=VALUE',
  'slot-time': 'TIME',
  ttl: 'DURATION',
  wait: '',
}

const common = [
  ['-n, --namespace NAME', 'default: that of the context'],
  ['    --context NAME', 'default: the current one'],
  ['    --kubeconfig FILE', 'default: $KUBECONFIG, else ~/.kube/config'],
] as const

export function helpOf(name: string, { usage, about, options, more }: Command, program: string): string {
  const own = Object.entries(options).map(
    ([option, meaning]) => [`    --${option} ${values[option as Option]}`.trimEnd(), meaning] as const,
  )
  const rows = [...own, ...common]
  const width = Math.max(...rows.map(([option]) => option.length)) + 2
  const lines = rows.map(([option, meaning]) => `  ${option.padEnd(width)}${meaning.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
  return [`${program} ${name} ${usage}`, about, lines.join('\n'), ...(more === undefined ? [] : [more])].join('\n\n') + '\n'
}
