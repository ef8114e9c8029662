import { expect, test } from 'vitest'
import { chosenModel, knownTasks, modelLabel, type Model } from './models'

const model = (name: string, rest: Partial<Model> = {}): Model => ({
  ...{ name, engine: 'deepseek', model: null, device: null, state: 'ready', reason: '' },
  ...{ modes: ['gundam'], visionTokens: {}, tasks: ['markdown'], default: false, ...rest },
})
const models = [model('v1', { default: true }), model('ocr2')]

test('a model is chosen by its name, and the default one where none is named', () => {
  expect(chosenModel({ models }, 'ocr2')?.name).toBe('ocr2')
  expect(chosenModel({ models }, '')?.name).toBe('v1')
  expect(chosenModel({ models }, 'gone')?.name).toBe('v1')
})

test('a label has what the model runs where the name does not say it', () => {
  expect(modelLabel(model('v1', { model: 'DeepSeek-OCR' }))).toBe('v1 (DeepSeek-OCR)')
  expect(modelLabel(model('ppocr'))).toBe('ppocr')
})

test('the tasks of a model that names none are not known', () => {
  expect(knownTasks(model('v1'))).toEqual(['markdown'])
  expect(knownTasks(model('v1', { tasks: [] }))).toBeUndefined()
})
