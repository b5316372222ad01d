import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { defineConfig } from 'vite';

const UNICONS = 'dist/public/build/img/icons/unicons';

// Grafana asks for its icons and its fonts at the places where its own server has them.
const assets = {
  name: 'assets',
  closeBundle() {
    cpSync('node_modules/@grafana/ui/dist/public/img', 'dist/public/build/img', { recursive: true });
    // The one icon that its package lacks is the mirror image of one that is there.
    const right = readFileSync(`${UNICONS}/angle-double-right.svg`, 'utf8');
    writeFileSync(`${UNICONS}/angle-double-left.svg`, right.replace('<path', '<path transform="matrix(-1 0 0 1 24 0)"'));
    mkdirSync('dist/public/fonts/inter', { recursive: true });
    for (const [weight, name] of [[400, 'Regular'], [500, 'Medium']]) {
      cpSync(`node_modules/@fontsource/inter/files/inter-latin-${weight}-normal.woff2`, `dist/public/fonts/inter/Inter-${name}.woff2`);
    }
  },
};

export default defineConfig({
  base: './',
  esbuild: { jsx: 'automatic' },
  plugins: [assets],
  define: { 'process.env.NODE_ENV': '"production"' },
  resolve: { dedupe: ['react', 'react-dom', 'rxjs', '@grafana/data', '@grafana/ui', '@grafana/runtime', '@grafana/i18n'] },
  build: {
    target: 'es2022',
    sourcemap: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 20000,
    rollupOptions: { shimMissingExports: true }, // some type-only names are exported as values
  },
});
