import { readFileSync } from 'node:fs'

/** Starts to count; the function returns the share of processor time, 0 to 1, in which this machine was idle since then. */
export function measureIdleShare(read = (): string => readFileSync('/proc/stat', 'utf8')): () => number {
  const start = timesIn(read())
  return () => {
    const end = timesIn(read())
    const all = end.all - start.all
    return all === 0 ? 0 : (end.idle - start.idle) / all
  }
}

/** user nice system idle iowait irq softirq steal; what follows is part of user and nice. */
function timesIn(stat: string): { readonly all: number; readonly idle: number } {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = (/^cpu +(.*)$/mu.exec(stat)?.[1] ?? '')
    .split(' ')
    .map(Number)
  return { all: user + nice + system + idle + wait + irq + soft + steal, idle: idle + wait }
}
