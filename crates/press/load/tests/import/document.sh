# Log in, then look.
$ curl -sSXPUT -u ann:secret http://127.0.0.1:5080/user -d name=Ann --data-urlencode 'city=New York' -o /dev/null
TOKEN=1 curl -G 127.0.0.1:5080/search -d q=a --data-urlencode 'b c' -A agent -e http://127.0.0.1/ -Lk
curl --json '{"a": 1}' --url=http://127.0.0.1:5080/json -H 'Accept: text/plain' -H 'X-Empty;' -H 'User-Agent:'
curl -I "http://127.0.0.1:5080/" --what | grep x
curl -d @body.txt http://127.0.0.1:5080/upload
