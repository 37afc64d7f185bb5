/**
 * Takes away the iptables rules of kube-proxy, of the kubelet and of our pod network, and nothing else.
 * Rules of other programs in the same tables stay untouched, counters included.
 */
import { run, tryRun } from '../command.ts'

const families = [
  { save: 'iptables-save', restore: 'iptables-restore' },
  { save: 'ip6tables-save', restore: 'ip6tables-restore' },
] as const

export async function removeFirewallRules(network: string): Promise<void> {
  for (const { save, restore } of families) {
    const saved = await tryRun(save, [])
    const script = removalScript(saved.stdout, network)
    if (script !== '') await run(restore, ['--noflush'], { input: script })
  }
}

/** Input for `iptables-restore --noflush`: per table delete our rules from foreign chains, then our chains. */
export function removalScript(saved: string, network: string): string {
  return saved
    .split(/^(?=\*)/m)
    .filter((table) => table.startsWith('*'))
    .map((table) => tableRemoval(table, network))
    .join('')
}

function tableRemoval(table: string, network: string): string {
  const lines = table.split('\n')
  const rules = lines.filter((line) => line.startsWith('-A '))
  const chains = lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1).split(' ')[0] ?? '')
  const ours = new Set(chains.filter((chain) => chain.startsWith('KUBE-')))
  // The network's plugins name their chains by hash; the rule that jumps there names the network in its comment.
  for (const rule of rules) {
    const target = / -j (CNI-\S+)/.exec(rule)?.[1]
    if (target !== undefined && rule.includes(`name: \\"${network}\\"`)) ours.add(target)
  }
  // The shared chains of the portmap plugin go with the last of its users.
  const hostPorts = chains.filter((chain) => chain.startsWith('CNI-HOSTPORT-'))
  const stillUsed = rules.some(
    (rule) => hostPorts.some((chain) => rule.startsWith(`-A ${chain} `)) && / -j CNI-DN-/.test(rule) && !ours.has(jumpTarget(rule)),
  )
  if (!stillUsed) for (const chain of hostPorts) ours.add(chain)
  if (ours.size === 0) return ''
  const foreign = rules.filter((rule) => !ours.has(rule.split(' ')[1] ?? '') && ours.has(jumpTarget(rule)))
  return [
    lines[0] ?? '',
    ...foreign.map((rule) => rule.replace(/^-A /, '-D ')),
    ...[...ours].map((chain) => `-F ${chain}`),
    ...[...ours].map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n')
}

function jumpTarget(rule: string): string {
  return / -[jg] (\S+)/.exec(rule)?.[1] ?? ''
}
