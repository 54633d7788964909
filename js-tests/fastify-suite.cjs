// Preloaded where the tests of @fastify/under-pressure run: what they import as the plugin is ours.
// Beside it, small stand-ins for the two test tools they use and nothing else here needs.
'use strict'
const { readFileSync } = require('node:fs')
const Module = require('node:module')
const { sep } = require('node:path')

const ours = process.env.SEAWALL_UNDER_TEST
const suite = ['', '@fastify', 'under-pressure', 'test', ''].join(sep)

/** Loads the plugin anew, with `stubs` in place of what it requires by exactly these names. */
function proxyquire(_request, stubs) {
  const module = new Module(ours, undefined)
  module.filename = ours
  module.require = name => stubs[name] ?? require(name)
  module._compile(readFileSync(ours, 'utf8'), ours)
  return module.exports
}

const real = { setTimeout, clearTimeout }
const turn = () => new Promise(resolve => real.setTimeout(resolve, 1))

/** Timers that wait for `tickAsync`. */
function useFakeTimers() {
  let now = 0
  const waiting = new Set()
  class Timer {
    constructor(run, ms) {
      this.run = run
      this.ms = ms
      this.refresh()
    }
    refresh() {
      this.at = now + this.ms
      waiting.add(this)
      return this
    }
    unref() {
      return this
    }
  }
  globalThis.setTimeout = (run, ms) => new Timer(run, ms)
  globalThis.clearTimeout = timer => void waiting.delete(timer)
  return {
    async tickAsync(ms) {
      await turn()
      const until = now + ms
      for (;;) {
        const [next] = [...waiting].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        now = next.at
        waiting.delete(next)
        next.run()
        await turn()
      }
      now = until
      await turn()
    },
    restore,
  }
}

function restore() {
  Object.assign(globalThis, real)
}

function fake(run) {
  const calls = []
  const spy = (...args) => {
    const returnValue = run(...args)
    calls.push({ returnValue })
    return returnValue
  }
  return Object.defineProperties(spy, {
    calls: { value: calls },
    lastCall: { get: () => calls.at(-1) },
  })
}

const callCount = (spy, count) => {
  if (spy.calls.length !== count) throw new Error(`${spy.calls.length} calls instead of ${count}`)
}

const tools = {
  proxyquire,
  sinon: { useFakeTimers, restore, fake, assert: { callCount } },
}
const plugin = new Set(['..', '../index', '../../index'])
const load = Module._load
Module._load = function (request, parent, ...rest) {
  if (parent?.filename?.includes(suite)) {
    if (plugin.has(request)) return require(ours)
    if (Object.hasOwn(tools, request)) return tools[request]
  }
  return load.call(this, request, parent, ...rest)
}
