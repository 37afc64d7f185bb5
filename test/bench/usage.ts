/** Cost and work of a process, read from the kernel and from its own metrics. */
import { readFileSync } from 'node:fs'
import type { OperatorProcess } from '../support/operator-process.ts'

/** What the kernel counts of a process; it counts in hundredths of a second. `peakMb`: the most memory that it ever had. */
export function usageOf(pid: number): { readonly cpuSeconds: number; readonly rssMb: number; readonly peakMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [userTicks = 0, systemTicks = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const megabytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'mu').exec(status)?.[1]) / 1024
  return { cpuSeconds: (userTicks + systemTicks) / 100, rssMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') }
}

/** What a benched operator keeps: it collects its garbage first. `times`: how often it was asked, with this time. */
export async function keptBy(operator: OperatorProcess, times: number): Promise<{ readonly heapMb: number; readonly rssMb: number }> {
  operator.signal('SIGUSR2')
  const { heapMb } = await operator.logged(`collection ${times}`)
  return { heapMb: Number(heapMb), rssMb: usageOf(operator.pid).rssMb }
}

/** The sum over all series of a counter whose labels match. */
export async function countedBy(port: unknown, metric: string, labels = ''): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()
  const series = text.split('\n').filter((line) => line.startsWith(`${metric}{`) && line.includes(labels))
  return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
