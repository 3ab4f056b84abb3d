# SPDX-License-Identifier: ISC
# The picture of a bench: bars of a few measures, side by side.
#	awk -f svg.awk subjects medians
BEGIN {
	n = split("tcp1_to cpu_s_gb udp100_kpps idle_us", m)
	split("TCP, 1 stream: Gbit/s|CPU s per GB|100-byte packets: 1,000/s|idle ping: us", head, "|")
	left = 190; wide = 165; gap = 15; row = 22; top = 40
}
FILENAME == "subjects" {
	id[++k] = $1
	t = substr($0, length($1) + 2)
	sub(/^ +/, "", t)
	if ($1 ~ /^hptun-.*-?lib/) t = "  with " substr($1, match($1, /lib/))
	title[$1] = t
	next
}
{ med[$1, $2] = $3; if ($3 > most[$2]) most[$2] = $3 }
function esc(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
function text(x, y, s, more) {
	printf "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, more, esc(s)
}
END {
	width = left + n * (wide + gap); height = top + k * row + 10
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	for (i = 1; i <= n; i++)
		text(left + (i - 1) * (wide + gap), 22, head[i], " font-weight=\"bold\"")
	for (j = 1; j <= k; j++) {
		y = top + (j - 1) * row
		text(8, y + 13, title[id[j]])
		for (i = 1; i <= n; i++) {
			if (!((id[j], m[i]) in med)) continue
			v = med[id[j], m[i]]
			x = left + (i - 1) * (wide + gap)
			w = most[m[i]] ? v / most[m[i]] * (wide - 45) : 0
			printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>\n", \
				x, y, w < 1 ? 1 : w, id[j] ~ /^hptun/ ? "#2a6fb0" : "#b8b8b8"
			text(x + w + 4, y + 13, sprintf(v < 10 ? "%.2f" : "%.0f", v))
		}
	}
	print "</svg>"
}
